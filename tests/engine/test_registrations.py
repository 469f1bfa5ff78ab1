"""How bindings are kept, lost and taken back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.inventory import Registration, Target, Trunk
from maskline.core.secret import Secret
from maskline.core.targets import address_of
from maskline.engine.registrations import (
    EXPIRES_S_MAX,
    FIRST_S_MAX,
    RENEW_S_MIN,
    RENEW_SHARE_MAX,
    RENEW_SHARE_MIN,
    RETRY_S_MAX,
    RETRY_S_MIN,
    Registrations,
)
from maskline.engine.trunk_requests import TrunkRequests
from maskline.engine.trunk_table import TrunkTable
from maskline.sip.events import RequestAnswered, RequestID
from maskline.sip.user_agent_types import OutgoingRequest

FIRST, SECOND = Target(host="192.0.2.1"), Target(host="192.0.2.2")
TRUNK = Trunk(
    id=1,
    created_at=0,
    name="one",
    targets=(FIRST,),
    username="us",
    password=Secret("secret"),
    registration=Registration(expires_s=600),
)


class Scene:
    """Registrations whose requests are answered by hand."""

    def __init__(self, *trunks: Trunk, random: float = 0.0) -> None:
        self.table = TrunkTable()
        self.table.replace(trunks or (TRUNK,))
        self.work = Registrations(
            self.table,
            TrunkRequests(local={("udp", False): ("10.0.0.1", 5060)}, host_towards=lambda _: "10.0.0.1"),
            random=lambda: random,
            new_call_id=lambda: f"call{len(self.sent)}",
        )
        self.now = 0.0
        self.sent: list[tuple[float, OutgoingRequest]] = []

    def run(self, seconds: float) -> list[OutgoingRequest]:
        """Let time pass, a tick each second and one at the end; return what was sent."""
        before, end = len(self.sent), self.now + seconds
        self.tick()
        while self.now < end:
            self.now = min(self.now + 1.0, end)
            self.tick()
        return [request for _, request in self.sent[before:]]

    def tick(self) -> None:
        for binding, request in self.work.tick(self.now):
            self.sent.append((self.now, request))
            self.work.sent(binding, RequestID(len(self.sent)))

    def answer(self, status: int, *, number: int | None = None, **more: int | None) -> None:
        request = RequestID(len(self.sent) if number is None else number)
        assert self.work.answered(RequestAnswered(request=request, status=status, **more), self.now)

    @property
    def is_registered(self) -> bool:
        return self.work.is_registered(1, self.now)


def test_a_trunk_registers_and_renews_in_time() -> None:
    """In one call, the numbers going up, before what was granted has passed."""
    scene = Scene()
    (first,) = scene.run(1)
    assert not scene.is_registered
    scene.answer(200, expires_s=300)
    assert scene.is_registered
    assert scene.run(300 * RENEW_SHARE_MIN - 2) == []
    (second,) = scene.run(2)
    assert (first.call_id, first.expires_s, second.call_id, second.expires_s) == ("call0", 600, "call0", 600)
    assert second.seq > first.seq + 2, "two challenges fit in between"
    scene.answer(200, expires_s=300)
    assert scene.is_registered


@given(st.integers(1, 2 * EXPIRES_S_MAX), st.floats(0, 0.999))
def test_a_binding_is_renewed_within_the_share(granted_s: int, random: float) -> None:
    """Whatever is granted: late enough, early enough, and never each second."""
    scene = Scene(random=random)
    scene.run(FIRST_S_MAX)
    scene.answer(200, expires_s=granted_s)
    at, believed_s = scene.now, min(granted_s, EXPIRES_S_MAX)
    (binding,) = scene.work._bindings.values()
    wait_s = binding.due_mono_s - at
    assert wait_s == pytest.approx(
        max(RENEW_S_MIN, believed_s * (RENEW_SHARE_MIN + (RENEW_SHARE_MAX - RENEW_SHARE_MIN) * random))
    )


def test_without_a_word_from_the_registrar_ours_counts() -> None:
    """A 200 that names no time has granted what was asked for."""
    scene = Scene()
    scene.run(1)
    scene.answer(200)
    scene.run(599 * RENEW_SHARE_MIN)
    assert scene.is_registered


def test_a_binding_that_ran_out_is_gone() -> None:
    """A refresh that is not answered loses it at its instant, not before."""
    scene = Scene()
    scene.run(1)
    scene.answer(200, expires_s=100)
    scene.run(99)
    assert scene.is_registered
    scene.run(1)
    assert not scene.is_registered


def test_a_longer_time_is_asked_for_when_the_registrar_wants_it() -> None:
    """423 names the least it takes; that is asked for at once, and from then on."""
    scene = Scene()
    scene.run(1)
    scene.answer(423, min_expires_s=3600)
    (again,) = scene.run(1)
    assert again.expires_s == 3600
    scene.answer(200, expires_s=3600)
    (renewed,) = scene.run(3600 * RENEW_SHARE_MIN)
    assert renewed.expires_s == 3600


@pytest.mark.parametrize("min_expires_s", [None, 0, 600, EXPIRES_S_MAX + 1, 10**9])
def test_a_423_that_makes_no_sense_is_a_refusal(min_expires_s: int | None) -> None:
    """Less than we asked for, or weeks, or nothing."""
    scene = Scene()
    scene.run(1)
    scene.answer(423, min_expires_s=min_expires_s)
    assert scene.run(RETRY_S_MIN * 0.75 - 2) == []


def test_a_registrar_cannot_raise_its_demand_for_ever() -> None:
    """The second 423 in a row is a refusal."""
    scene = Scene()
    scene.run(1)
    scene.answer(423, min_expires_s=700)
    scene.run(1)
    scene.answer(423, min_expires_s=800)
    assert scene.run(RETRY_S_MIN * 0.75 - 2) == []


def test_refusals_are_met_with_longer_and_longer_waits() -> None:
    """Twice as long each time up to ten minutes, a quarter of it left to chance."""
    scene = Scene()
    scene.run(1)
    waits = []
    for _ in range(8):
        scene.answer(403)
        before = scene.now
        while len(scene.run(1)) == 0:
            pass
        waits.append(scene.now - before)
    expected = [min(RETRY_S_MAX, RETRY_S_MIN * 2**count) * 0.75 for count in range(8)]
    assert waits == pytest.approx(expected, abs=1.01)
    scene.answer(200, expires_s=100)
    scene.run(80)
    scene.answer(403)
    assert len(scene.run(RETRY_S_MIN)) == 1, "a success begins anew"


@given(st.lists(st.sampled_from([401, 403, 404, 408, 423, 500, 503, 600]), max_size=40), st.floats(0, 0.999))
def test_we_never_hammer_and_never_stop(statuses: list[int], random: float) -> None:
    """Whatever comes back, the next try is half a minute to ten minutes away."""
    scene = Scene(random=random)
    scene.run(FIRST_S_MAX)
    for status in statuses:
        scene.answer(status)
        (binding,) = scene.work._bindings.values()
        assert RETRY_S_MIN * 0.75 <= binding.due_mono_s - scene.now <= RETRY_S_MAX
        scene.now = binding.due_mono_s
        scene.tick()


def test_retry_after_is_waited_for() -> None:
    """Within ten minutes; the address is busy for calls as well."""
    scene = Scene()
    scene.run(1)
    scene.answer(503, retry_after_s=120)
    assert scene.run(118) == []
    assert not scene.table.is_healthy(scene.table.addresses(FIRST)[0], scene.now)
    assert len(scene.run(3)) == 1
    scene.answer(503, retry_after_s=10**6)
    assert len(scene.run(601)) == 1


def test_a_trunk_registers_with_each_of_its_targets() -> None:
    """Each binding by itself, in a call of its own."""
    scene = Scene(replace(TRUNK, targets=(FIRST, SECOND)))
    first, second = scene.run(1)
    assert {first.flow.remote[0], second.flow.remote[0]} == {FIRST.host, SECOND.host}
    scene.answer(200, number=1, expires_s=600)
    scene.answer(403, number=2)
    assert [(state.is_registered, state.status) for state in scene.work.states(scene.now)] == [
        (True, 0),
        (False, 403),
    ]
    assert scene.is_registered


def test_a_target_that_is_down_is_not_registered_with() -> None:
    """While another is up; as soon as it is back, it is."""
    scene = Scene(replace(TRUNK, targets=(FIRST, SECOND)))
    (address,) = scene.table.addresses(FIRST)
    scene.table.note_failure(address, 0.0)
    scene.table.note_failure(address, 0.0)
    (only,) = scene.run(20)
    assert only.flow.remote[0] == SECOND.host
    scene.table.note_success(address, is_call=False)
    (later,) = scene.run(6)
    assert later.flow.remote[0] == FIRST.host


def test_targets_that_are_all_down_are_tried() -> None:
    """A carrier may answer nobody's OPTIONS before he has registered."""
    scene = Scene()
    (address,) = scene.table.addresses(FIRST)
    scene.table.note_failure(address, 0.0)
    scene.table.note_failure(address, 0.0)
    assert len(scene.run(1)) == 1
    scene.answer(200, expires_s=600)
    assert scene.table.is_healthy(address, scene.now)


def test_a_registrar_of_its_own() -> None:
    """Where calls go does not matter then."""
    registrar = Target(host="198.51.100.1", port=5090)
    scene = Scene(replace(TRUNK, targets=(FIRST, SECOND), registration=Registration(registrar=registrar)))
    (only,) = scene.run(1)
    assert only.flow.remote == ("198.51.100.1", 5090)


def test_the_next_address_is_tried_after_a_refusal() -> None:
    """A name with two addresses is reached through the other one, and the one that worked is kept."""
    named = Target(host="carrier.example", port=5060)
    trunk = replace(TRUNK, targets=(named,))
    scene = Scene(trunk)
    assert scene.run(10) == [], "nobody has looked the name up yet"
    addresses = tuple(address_of(named, host, 5060) for host in ("192.0.2.1", "192.0.2.2"))
    scene.table.replace((trunk,), {named: addresses})
    (first,) = scene.run(6)
    scene.answer(500)
    (second,) = scene.run(RETRY_S_MIN)
    assert {first.flow.remote[0], second.flow.remote[0]} == {"192.0.2.1", "192.0.2.2"}
    scene.answer(200, expires_s=60)
    (third,) = scene.run(60)
    assert third.flow == second.flow


def test_a_trunk_without_credentials_does_not_register() -> None:
    """There would be nobody to register as."""
    assert Scene(replace(TRUNK, username=None, password=None)).run(10) == []


def test_stopping_takes_every_binding_back() -> None:
    """Once, for no time at all; one that never came about is left alone."""
    scene = Scene(replace(TRUNK, targets=(FIRST, SECOND)))
    scene.run(1)
    scene.answer(200, number=1, expires_s=600)
    scene.answer(403, number=2)
    scene.work.stop()
    (last,) = scene.run(1)
    assert (last.expires_s, last.flow.remote[0]) == (0, FIRST.host)
    assert scene.work.is_busy
    scene.answer(200)
    assert not scene.work.is_busy
    assert scene.run(1000) == []
    assert not scene.is_registered


def test_a_registration_under_way_is_taken_back_too() -> None:
    """It may have reached the registrar; its answer changes nothing any more."""
    scene = Scene()
    scene.run(1)
    scene.work.stop()
    (last,) = scene.run(1)
    assert last.expires_s == 0
    assert last.seq > scene.sent[0][1].seq
    scene.answer(200, number=1, expires_s=600)
    scene.answer(200, number=2)
    assert not scene.work.is_busy
    assert scene.run(1000) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"registration": Registration(registrar=SECOND)},
        {"username": "them"},
        {"from_host": "other.example"},
        {"targets": (SECOND,)},
    ],
)
def test_a_binding_goes_with_what_it_was_for(changed: dict[str, object]) -> None:
    """It is taken back with the credentials of then; the new one begins when that has arrived."""
    scene = Scene()
    (old,) = scene.run(1)
    scene.answer(200, expires_s=600)
    scene.table.replace((replace(TRUNK, **changed),))  # type: ignore[arg-type]
    (last,) = scene.run(FIRST_S_MAX - 1)
    assert (last.expires_s, last.credentials, last.call_id) == (0, old.credentials, old.call_id)
    assert last.to_uri == old.to_uri
    (new,) = scene.run(2)
    assert new.expires_s == 600
    assert new.call_id != old.call_id


def test_a_trunk_that_registers_no_more_takes_its_binding_back() -> None:
    """Also when the trunk itself is gone."""
    for trunks in ((replace(TRUNK, registration=None),), ()):
        scene = Scene()
        scene.run(1)
        scene.answer(200, expires_s=600)
        scene.table.replace(trunks)
        assert [request.expires_s for request in scene.run(1000)] == [0]


@pytest.mark.parametrize(
    "changed", [{"registration": Registration(expires_s=60)}, {"password": Secret("other")}]
)
def test_a_new_password_or_time_is_tried_at_once(changed: dict[str, object]) -> None:
    """In the same binding: taking it back first would only be an interval without one."""
    scene = Scene()
    (old,) = scene.run(1)
    scene.answer(403)
    trunk = replace(TRUNK, **changed)  # type: ignore[arg-type]
    scene.table.replace((trunk,))
    (new,) = scene.run(1)
    assert new.call_id == old.call_id
    assert new.credentials == scene.table.credentials(1)
    assert trunk.registration is not None
    assert new.expires_s == trunk.registration.expires_s


def test_other_settings_leave_the_binding_alone() -> None:
    """A limit of calls is no reason to register anew."""
    scene = Scene()
    scene.run(1)
    scene.answer(200, expires_s=600)
    scene.table.replace((replace(TRUNK, max_calls=3),))
    assert scene.run(10) == []
    assert scene.is_registered


def test_a_start_is_spread() -> None:
    """A hundred trunks do not come in one instant."""
    assert Scene(random=0.99).run(0) == []


def test_answers_to_others_are_not_ours() -> None:
    """They are left to whoever asked."""
    assert not Scene().work.answered(RequestAnswered(request=RequestID(99), status=200), 0.0)
