from dataclasses import replace

import pytest

from maskline.core.masking import Role
from maskline.core.numbers import DID, E164
from maskline.core.routing import Connect, RefusalReason, Refuse, RouteFacts, SessionFacts, decide_route

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
