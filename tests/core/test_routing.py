from dataclasses import replace
from itertools import product

import pytest

from maskline.core.masking import RecordFormat, Role
from maskline.core.numbers import DID, E164
from maskline.core.pin import CALLER_LIMIT, NUMBER_LIMIT, PinLimits, TryLimit, TryWindow
from maskline.core.routing import (
    BUILT_IN,
    Announce,
    AskPin,
    Connect,
    PinDialogue,
    PinStanding,
    RefusalReason,
    Refuse,
    RouteDecision,
    RouteFacts,
    SessionFacts,
    StrangerFacts,
    decide_route,
)

CALLER, CALLEE = E164("+919800000001"), E164("+919800000002")
START, END = 1_000_000, 2_000_000
SESSION = SessionFacts(
    session_id="s",
    account_id=7,
    role=Role.FIRST,
    callee=CALLEE,
    starts_at=START,
    ends_at=END,
    ring_timeout_s=45,
    call_time_limit_s=600,
    is_recorded=True,
)
FACTS = RouteFacts(
    number=DID("+912200000000"), trunk_id=3, account_id=7, is_caller_virtual=False, session=SESSION
)


def test_connects_the_bound_caller() -> None:
    """The other party is called and shown the number that was dialled."""
    assert decide_route(FACTS, CALLER, START) == Connect(
        session_id="s",
        account_id=7,
        caller_role=Role.FIRST,
        callee_role=Role.SECOND,
        callee=CALLEE,
        presented=DID("+912200000000"),
        trunk_id=3,
        ends_at=END,
        ring_timeout_s=45,
        call_time_limit_s=600,
        is_recorded=True,
    )


@pytest.mark.parametrize(
    ("now", "is_open"), [(START - 1, False), (START, True), (END - 1, True), (END, False), (END + 1, False)]
)
def test_window_is_half_open(now: int, is_open: bool) -> None:
    """The first microsecond is in the window, the end is not."""
    assert isinstance(decide_route(FACTS, CALLER, now), Connect) is is_open


@pytest.mark.parametrize(
    ("facts", "caller", "reason"),
    [
        (replace(FACTS, number=None, trunk_id=None), CALLER, RefusalReason.UNKNOWN_NUMBER),
        (replace(FACTS, account_id=None), CALLER, RefusalReason.NOT_LEASED),
        (replace(FACTS, account_id=8), CALLER, RefusalReason.NOT_LEASED),
        (replace(FACTS, is_caller_virtual=True), CALLER, RefusalReason.CALLER_IS_VIRTUAL),
        (replace(FACTS, session=None), CALLER, RefusalReason.NO_SESSION),
        (replace(FACTS, session=None), None, RefusalReason.NO_CALLER),
        (replace(FACTS, session=replace(SESSION, callee=None)), CALLER, RefusalReason.NO_COUNTERPART),
    ],
)
def test_refusals(facts: RouteFacts, caller: E164 | None, reason: RefusalReason) -> None:
    """Whatever is missing, the call is refused with the reason for the record."""
    assert decide_route(facts, caller, START) == Refuse(reason=reason)


def test_stranger_of_a_one_party_session_may_withhold_its_number() -> None:
    """Any caller is put through to the party of a one-party session."""
    facts = replace(FACTS, session=replace(SESSION, role=Role.ANYONE))
    assert isinstance(decide_route(facts, None, START), Connect)


DIALOGUE = PinDialogue(
    session_id="s",
    account_id=7,
    prompt_url="https://a.test/pin",
    incorrect_url="",
    retry_count=1,
    retry_wait_s=5,
    is_reported=False,
)
STRANGERS = StrangerFacts(
    session_id="t",
    account_id=7,
    starts_at=START,
    ends_at=END,
    dialogue=None,
    unknown_caller_url="https://a.test/unknown",
)
LOCKED_CALLER = TryWindow(START, CALLER_LIMIT.wrong_count_max)
LOCKED_NUMBER = TryWindow(START, NUMBER_LIMIT.wrong_count_max)


def test_every_combination_of_facts_has_its_decision() -> None:
    """Whatever the look-up may find, the first rule that applies decides, and nothing else."""
    sessions = [None] + [
        replace(SESSION, role=role, callee=callee, has_pin=has_pin, dialogue=dialogue, account_id=account_id)
        for role, callee, has_pin, dialogue, account_id in product(
            Role, (None, CALLEE), (False, True), (None, replace(DIALOGUE, forced_role=Role.FIRST)), (7, 8)
        )
    ]
    meetings = [None] + [
        replace(
            STRANGERS,
            dialogue=dialogue,
            caller_tries=caller_tries,
            number_tries=number_tries,
            account_id=account_id,
        )
        for dialogue, caller_tries, number_tries, account_id in product(
            (None, DIALOGUE), (None, LOCKED_CALLER), (None, LOCKED_NUMBER), (7, 8)
        )
    ]
    count = 0
    for number, account_id, is_virtual, session, strangers, prompt, caller, now in product(
        (None, FACTS.number),
        (None, 7),
        (False, True),
        sessions,
        meetings,
        ("", BUILT_IN, "https://a.test/refused"),
        (None, CALLER),
        (START - 1, START, END),
    ):
        facts = RouteFacts(
            number=number,
            trunk_id=None if number is None else 3,
            account_id=account_id,
            is_caller_virtual=is_virtual,
            session=session,
            refusal_prompt_url=prompt,
            strangers=strangers,
        )
        assert decide_route(facts, caller, now) == _expected(facts, caller, now), (facts, caller, now)
        count += 1
    assert count == 2 * 2 * 2 * len(sessions) * len(meetings) * 3 * 2 * 3


def _expected(facts: RouteFacts, caller: E164 | None, now: int) -> RouteDecision:
    """The rules in their order, each as plainly as can be."""
    if facts.number is None or facts.trunk_id is None or facts.account_id is None:
        unknown = RefusalReason.UNKNOWN_NUMBER if facts.number is None else RefusalReason.NOT_LEASED
        return Refuse(reason=unknown)
    if facts.is_caller_virtual:
        return Refuse(reason=RefusalReason.CALLER_IS_VIRTUAL)
    session, strangers, is_open = facts.session, facts.strangers, START <= now < END
    anybody = RefusalReason.NO_CALLER if caller is None else RefusalReason.NO_SESSION
    if session is not None and is_open:
        if session.account_id != 7:
            return Refuse(reason=RefusalReason.NOT_LEASED)
        if session.callee is None:
            return _refused(facts, RefusalReason.NO_COUNTERPART)
        if session.dialogue is not None:
            return AskPin(dialogue=session.dialogue, number=facts.number, trunk_id=3)
        is_known = session.has_pin and session.role in {Role.FIRST, Role.SECOND}
        return Connect(
            session_id="s",
            account_id=7,
            caller_role=session.role,
            callee_role=Role.SECOND if session.role is Role.FIRST else Role.FIRST,
            callee=session.callee,
            presented=facts.number,
            trunk_id=3,
            ends_at=END,
            ring_timeout_s=45,
            call_time_limit_s=600,
            is_recorded=True,
            pin=PinStanding.AUTHORIZED if is_known else PinStanding.OFF,
        )
    if strangers is None or strangers.account_id != 7 or not is_open:
        return _refused(facts, anybody)
    if strangers.dialogue is None:
        return Announce(
            url="https://a.test/unknown",
            reason=anybody,
            account_id=7,
            session_id="t",
            number=facts.number,
            trunk_id=3,
        )
    if strangers.caller_tries or strangers.number_tries:
        return _refused(facts, RefusalReason.PIN_LOCKED)
    return AskPin(dialogue=strangers.dialogue, number=facts.number, trunk_id=3)


def _refused(facts: RouteFacts, reason: RefusalReason) -> Announce | Refuse:
    assert facts.number is not None
    if facts.refusal_prompt_url == "":
        return Refuse(reason=reason)
    url = "" if facts.refusal_prompt_url == BUILT_IN else facts.refusal_prompt_url
    return Announce(url=url, reason=reason, account_id=7, session_id=None, number=facts.number, trunk_id=3)


@pytest.mark.parametrize(
    ("role", "has_first", "plays"),
    [
        (Role.FIRST, True, ("one", "two")),
        (Role.SECOND, True, ("two", "one")),
        (Role.ANYONE, True, ("two", "one")),
        (Role.ANYONE, False, ("one", "two")),
    ],
)
def test_prompts_go_with_the_person(role: Role, has_first: bool, plays: tuple[str, str]) -> None:
    """Whoever calls hears what is meant for its person; a stranger what is meant for the one it stands for."""
    session = replace(
        SESSION,
        role=role,
        has_first=has_first,
        first_play_url="one",
        second_play_url="two",
        record_format=RecordFormat.WAV,
        is_reported=True,
    )
    decision = decide_route(replace(FACTS, session=session), CALLER, START)
    assert isinstance(decision, Connect)
    assert (decision.caller_play_url, decision.callee_play_url) == plays
    assert (decision.record_format, decision.is_reported) == (RecordFormat.WAV, True)


@pytest.mark.parametrize(("after_us", "is_asked"), [(-1, False), (0, True)])
def test_lock_ends_with_its_window(after_us: int, is_asked: bool) -> None:
    """A locked stranger is asked again from the instant its window closes."""
    limits = PinLimits(caller=TryLimit(wrong_count_max=1, window_s=1), number=NUMBER_LIMIT)
    strangers = replace(STRANGERS, ends_at=END * 9, dialogue=DIALOGUE, caller_tries=TryWindow(START, 1))
    facts = replace(FACTS, session=None, strangers=strangers)
    decision = decide_route(facts, CALLER, START + 1_000_000 + after_us, limits)
    assert isinstance(decision, AskPin) is is_asked
