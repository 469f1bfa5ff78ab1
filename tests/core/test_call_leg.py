from maskline.core.call_leg import CallLeg, LegFilter, LiveLeg
from maskline.core.call_record import Side, leg_id, split_leg_id
from maskline.core.masking import LegStatus
from maskline.core.numbers import DID
from maskline.core.termination import Reason, terminate

NUMBER = DID("+912212345678")


def test_leg_says_who_called_and_what_became_of_it() -> None:
    """Leg A of a caller is inbound; all others are not; an answered leg is completed, however the call ended."""
    for side, is_service_initiated, is_inbound in (
        (Side.A, False, True),
        (Side.A, True, False),
        (Side.B, False, False),
        (Side.B, True, False),
    ):
        leg = CallLeg(
            call_id="c",
            side=side,
            number=NUMBER,
            party=None,
            is_service_initiated=is_service_initiated,
            started_at=0,
            answered_at=1_000_000 if is_inbound else None,
            ended_at=2_500_000,
            termination=terminate(Reason.CALLEE_BUSY),
        )
        live = LiveLeg(
            call_id="c",
            side=side,
            number=NUMBER,
            party=None,
            is_service_initiated=is_service_initiated,
            started_at=0,
            is_answered=False,
        )
        assert leg.is_inbound is live.is_inbound is is_inbound
        assert leg.id == live.id == leg_id("c", side)
        assert split_leg_id(leg.id) == (leg_id("c", Side.A), side)
        assert (leg.duration_s, leg.status) == (
            (2, LegStatus.COMPLETED) if is_inbound else (0, LegStatus.BUSY)
        )


def test_filter_of_a_sub_account_is_otherwise_the_same() -> None:
    """Only the sub-account is set."""
    assert LegFilter(limit=3).of_subaccount(7) == LegFilter(limit=3, subaccount_id=7)
