import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.delivery import (
    Callbacks,
    Dialect,
    EndpointCreated,
    WebhookEndpoint,
    choose_receivers,
    person_of,
    receiver_key,
)
from maskline.core.events import DomainEvent, EventKind, EventValue
from maskline.core.masking import CallbackMethod, Role
from maskline.core.secret import Secret

SESSION_URL, RECORDING_URL = "https://a.example/session", "https://a.example/recording"


def _event(kind: EventKind, **facts: EventValue) -> DomainEvent:
    return DomainEvent(
        id=1,
        account_id=1,
        session_id="s",
        call_id="c",
        kind=kind,
        sequence=1,
        occurred_at=0,
        facts=dict(facts),
    )


def _callbacks(
    url: str = SESSION_URL, recording_url: str = RECORDING_URL, *, has_first: bool = True
) -> Callbacks:
    return Callbacks(
        url=url,
        method=CallbackMethod.GET,
        recording_url=recording_url,
        recording_method=CallbackMethod.POST,
        has_first=has_first,
    )


def _endpoint(
    *kinds: EventKind, disabled_at: int | None = None, dialect: Dialect = Dialect.NATIVE
) -> WebhookEndpoint:
    return WebhookEndpoint(
        id="e1",
        account_id=1,
        url="https://hooks.example/",
        kinds=frozenset(kinds),
        sends_numbers=False,
        created_at=0,
        disabled_at=disabled_at,
        dialect=dialect,
    )


@pytest.mark.parametrize(
    ("kind", "facts", "told"),
    [
        (EventKind.SESSION_CREATED, {}, None),
        (EventKind.SESSION_UPDATED, {}, None),
        (EventKind.SESSION_ENDED, {}, None),
        (EventKind.SESSION_EXPIRED, {}, (SESSION_URL, CallbackMethod.GET)),
        (EventKind.CALL_STARTED, {}, None),
        (EventKind.PARTY_RINGING, {"role": "second"}, (SESSION_URL, CallbackMethod.GET)),
        (EventKind.PARTY_RINGING, {"role": "first"}, None),
        (EventKind.PARTY_RINGING, {}, None),
        (EventKind.PARTY_ANSWERED, {"role": "first"}, (SESSION_URL, CallbackMethod.GET)),
        (EventKind.PARTY_HUNG_UP, {"role": "second"}, (SESSION_URL, CallbackMethod.GET)),
        (EventKind.PIN_CHECKED, {}, (SESSION_URL, CallbackMethod.GET)),
        (EventKind.PROMPT_FAILED, {}, None),
        (EventKind.CALL_FINISHED, {}, (SESSION_URL, CallbackMethod.GET)),
        (EventKind.RECORDING_STARTED, {}, (RECORDING_URL, CallbackMethod.POST)),
        (EventKind.RECORDING_COMPLETED, {}, (RECORDING_URL, CallbackMethod.POST)),
        (EventKind.RECORDING_FAILED, {}, (RECORDING_URL, CallbackMethod.POST)),
        (EventKind.PIN_ALARM, {}, None),
    ],
)
def test_which_callback_is_told(
    kind: EventKind, facts: dict[str, str], told: tuple[str, CallbackMethod] | None
) -> None:
    """Each event goes to the callback that knows it, or to none."""
    found = choose_receivers(_event(kind, **facts), _callbacks(), ())
    assert [(it.url, it.method) for it in found] == ([] if told is None else [told])
    assert all((it.dialect, it.endpoint_id) == (Dialect.PLIVO, None) for it in found)


@pytest.mark.parametrize("kind", list(EventKind))
def test_nobody_is_told_where_no_callback_is(kind: EventKind) -> None:
    """A session without callbacks tells nobody."""
    assert choose_receivers(_event(kind, role="second"), _callbacks("", ""), ()) == ()


def test_a_stranger_rings_where_the_second_party_is_missing() -> None:
    """The vendor hears of the second party's phone, whoever stands there."""
    event = _event(EventKind.PARTY_RINGING, role="anyone")
    assert len(choose_receivers(event, _callbacks(), ())) == 1
    assert choose_receivers(event, _callbacks(has_first=False), ()) == ()


_COMPLETING = [
    (EventKind.CALL_FINISHED, {}, True),
    (EventKind.CALL_FINISHED, {"recording_id": None}, True),
    (EventKind.CALL_FINISHED, {"recording_id": "r"}, False),
    (EventKind.RECORDING_COMPLETED, {"is_call_finished": True}, True),
    (EventKind.RECORDING_COMPLETED, {"is_call_finished": False}, False),
    (EventKind.RECORDING_COMPLETED, {}, False),
    (EventKind.RECORDING_FAILED, {"is_call_finished": True}, True),
    (EventKind.RECORDING_FAILED, {"is_call_finished": False}, False),
    (EventKind.RECORDING_STARTED, {"is_call_finished": True}, False),
    (EventKind.PARTY_HUNG_UP, {}, False),
    (EventKind.SESSION_EXPIRED, {}, False),
]


@pytest.mark.parametrize(("kind", "facts", "is_told"), _COMPLETING)
@pytest.mark.parametrize("disabled_at", [None, 5])
def test_reports_are_told_when_nothing_is_to_come(
    kind: EventKind, facts: dict[str, EventValue], is_told: bool, disabled_at: int | None
) -> None:
    """With the call's end, or with what became of its recording, whichever was second; never to a disabled one."""
    endpoint = _endpoint(disabled_at=disabled_at, dialect=Dialect.DEEPCALL)
    found = choose_receivers(_event(kind, **facts), _callbacks("", ""), (endpoint,))
    assert [it.dialect for it in found] == ([Dialect.DEEPCALL] if is_told and disabled_at is None else [])


@given(
    kind=st.sampled_from(EventKind),
    asked=st.sets(st.sampled_from(EventKind)),
    disabled_at=st.none() | st.integers(0, 10),
)
def test_endpoints_get_what_they_ask_for(
    kind: EventKind, asked: set[EventKind], disabled_at: int | None
) -> None:
    """No kinds named means all; a disabled endpoint gets nothing."""
    endpoint = _endpoint(*asked, disabled_at=disabled_at)
    found = choose_receivers(_event(kind), _callbacks("", ""), (endpoint,))
    assert bool(found) == (disabled_at is None and (not asked or kind in asked))
    assert all(
        (it.key, it.dialect, it.endpoint_id, it.method) == ("e1", Dialect.NATIVE, "e1", CallbackMethod.POST)
        for it in found
    )


@pytest.mark.parametrize(
    ("role", "has_first", "person"),
    [
        (Role.FIRST, True, Role.FIRST),
        (Role.FIRST, False, Role.FIRST),
        (Role.SECOND, False, Role.SECOND),
        (Role.ANYONE, True, Role.SECOND),
        (Role.ANYONE, False, Role.FIRST),
    ],
)
def test_persons(role: Role, has_first: bool, person: Role) -> None:
    """A stranger stands where the session has no party."""
    assert person_of(role, has_first=has_first) is person


def test_receivers_are_told_apart_by_account_and_origin() -> None:
    """Paths, queries and letter case of a host make no other receiver; ports, schemes and accounts do."""
    key = receiver_key(1, "https://a.example/x")
    assert receiver_key(1, "https://A.example/y?z=1#rt=5") == key
    others = {
        receiver_key(2, "https://a.example/x"),
        receiver_key(1, "http://a.example/x"),
        receiver_key(1, "https://a.example:8443/x"),
        receiver_key(1, "https://b.example/x"),
    }
    assert len(others | {key}) == 5


@given(st.text(max_size=100))
def test_any_text_has_a_receiver(url: str) -> None:
    """What is no URL is refused when it is tried, and is its own receiver until then."""
    key = receiver_key(1, url)
    assert len(key) == 32
    assert receiver_key(1, url) == key


def test_printing_a_created_endpoint_keeps_its_secret() -> None:
    """The secret is shown where it is meant, and nowhere by accident."""
    created = EndpointCreated(endpoint=_endpoint(), secret=Secret("whsec_abc"))
    assert "whsec" not in repr(created)
