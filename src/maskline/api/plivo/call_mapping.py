"""Legs of calls in the vendor's words.

Source: Plivo voice API, the call object, retrieve all calls, hangup causes and sources (2024); recorded answers and
field types of the official clients.
"""

from types import MappingProxyType

from maskline.clock import to_datetime
from maskline.core.call_leg import CallLeg, LiveLeg
from maskline.core.call_record import Side, leg_id
from maskline.core.masking import LegStatus
from maskline.core.termination import TERMINATIONS, Reason, Result

NO_AMOUNT = "0.00000"  # nothing is charged; amounts are strings here
HANGUP_SOURCES = ("Caller", "Callee", "Plivo", "Carrier", "API Request", "Answer XML", "Error", "Unknown")
_STATES = MappingProxyType(
    {
        LegStatus.COMPLETED: "ANSWER",
        LegStatus.BUSY: "BUSY",
        LegStatus.NO_ANSWER: "NO_ANSWER",
        LegStatus.FAILED: "FAILED",
        LegStatus.CANCELLED: "CANCEL",
        LegStatus.REJECTED: "REJECTED",
    }
)
# Where somebody hung up, that is the source; the rest follows from whose doing it was.
_HUNG_UP_BY = MappingProxyType(
    {
        Reason.CALLER_HUNG_UP: "Caller",
        Reason.CALLER_CANCELLED: "Caller",
        Reason.CALLEE_HUNG_UP: "Callee",
        Reason.CALLEE_BUSY: "Callee",
        Reason.CALLEE_DECLINED: "Callee",
        Reason.FIRST_BUSY: "Callee",  # the service placed that leg too: its phone is a dialled one
        Reason.FIRST_DECLINED: "Callee",
        Reason.SWITCH_LOST: "Unknown",
        Reason.MEDIA_LOST: "Error",
        Reason.OVERLOADED: "Error",
        Reason.SWITCH_RESTARTED: "Error",
        Reason.INTERNAL_ERROR: "Error",
        Reason.CALLER_GONE: "Carrier",
        Reason.CALLEE_GONE: "Carrier",
        Reason.CALLEE_NO_ANSWER: "Carrier",
        Reason.CALLEE_UNALLOCATED: "Carrier",
        Reason.CALLEE_INVALID_ADDRESS: "Carrier",
        Reason.CALLEE_NOT_ACCEPTABLE: "Carrier",
        Reason.CALLEE_REDIRECTED: "Carrier",
        Reason.FIRST_NO_ANSWER: "Carrier",
        Reason.FIRST_UNALLOCATED: "Carrier",
        Reason.FIRST_INVALID_ADDRESS: "Carrier",
        Reason.FIRST_NOT_ACCEPTABLE: "Carrier",
        Reason.FIRST_REDIRECTED: "Carrier",
    }
)


def hangup_source(reason: Reason) -> str:
    """One of the vendor's sources for why a call ended."""
    if reason in _HUNG_UP_BY:
        return _HUNG_UP_BY[reason]
    return "Carrier" if TERMINATIONS[reason].result is Result.CARRIER else "Plivo"


def reasons_of_source(source: str) -> frozenset[Reason]:
    """Every reason that is told as this source."""
    return frozenset(reason for reason in Reason if hangup_source(reason) == source)


def reasons_of_code(code: int) -> frozenset[Reason]:
    """Every reason that is told by this hang-up code."""
    return frozenset(reason for reason, row in TERMINATIONS.items() if row.plivo_code == code)


def render_leg(leg: CallLeg, auth_id: str) -> dict[str, object]:
    """The object of a finished call's leg, its keys in the vendor's order; numbers without plus."""
    from_number, to_number = (_digits(number) for number in leg.numbers)
    return {
        "answer_time": None if leg.answered_at is None else _render_time(leg.answered_at),
        "bill_duration": leg.duration_s,
        "billed_duration": leg.duration_s,
        "call_direction": _direction(leg),
        "call_duration": leg.duration_s,
        "call_state": _STATES[leg.status],
        "call_uuid": leg.id,
        "cnam_lookup": "",
        "conference_uuid": None,
        "end_time": _render_time(leg.ended_at),
        "from_number": from_number,
        "hangup_cause_code": leg.termination.plivo_code,
        "hangup_cause_name": leg.termination.plivo_cause,
        "hangup_source": hangup_source(leg.termination.reason),
        "initiation_time": _render_time(leg.started_at),
        "parent_call_uuid": _parent(leg),
        "resource_uri": f"/v1/Account/{auth_id}/Call/{leg.id}/",
        "source_ip": "",
        "stir_attestation": "",
        "stir_verification": "Not Applicable",
        "to_number": to_number,
        "total_amount": NO_AMOUNT,
        "total_rate": NO_AMOUNT,
        "voice_network_group": "",
    }


def render_live_leg(leg: LiveLeg) -> dict[str, object]:
    """The object of a running call's leg."""
    from_number, to_number = (_digits(number) for number in leg.numbers)
    return {
        "call_status": "in-progress" if leg.is_answered else "ringing",
        "call_uuid": leg.id,
        "caller_name": "",
        "direction": _direction(leg),
        "from": from_number,
        "parent_call_uuid": _parent(leg),
        "request_uuid": leg.id,
        "session_start": f"{to_datetime(leg.started_at):%Y-%m-%d %H:%M:%S.%f}",
        "stir_attestation": "",
        "stir_verification": "Not Applicable",
        "to": to_number,
    }


def _direction(leg: CallLeg | LiveLeg) -> str:
    return "inbound" if leg.is_inbound else "outbound"


def _parent(leg: CallLeg | LiveLeg) -> str | None:
    return leg_id(leg.call_id, Side.A) if leg.side is Side.B else None


def _digits(number: str | None) -> str:
    return "" if number is None else number.removeprefix("+")


def _render_time(instant: int) -> str:
    return f"{to_datetime(instant):%Y-%m-%d %H:%M:%S}+00:00"
