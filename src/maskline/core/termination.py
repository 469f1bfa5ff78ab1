"""How a call ended: one table from reason to result, Q.850 cause, SIP status and vendor codes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple


class Result(StrEnum):
    """Whose doing the ending was."""

    SUCCESS = "success"
    """The parties were joined and the call ended as calls do."""
    CALLER = "caller"
    CALLEE = "callee"
    CARRIER = "carrier"
    US = "us"
    INDETERMINATE = "indeterminate"
    """Nobody was left who could have seen it."""


class Reason(StrEnum):
    """What ended a call."""

    CALLER_HUNG_UP = "caller-hung-up"
    CALLEE_HUNG_UP = "callee-hung-up"
    TIME_LIMIT = "time-limit"
    CALLER_CANCELLED = "caller-cancelled"
    CALLER_GONE = "caller-gone"
    """The caller's side never acknowledged our answer, or its connection was lost."""
    CALLER_NOT_ACCEPTABLE = "caller-not-acceptable"
    """The caller's offer cannot be served: no audio, no common codec, encrypted media."""
    UNKNOWN_NUMBER = "unknown-number"
    NOT_LEASED = "not-leased"
    NO_CALLER = "no-caller"
    CALLER_IS_VIRTUAL = "caller-is-virtual"
    NO_SESSION = "no-session"
    NO_COUNTERPART = "no-counterpart"
    PIN_FAILED = "pin-failed"
    """The caller was asked for a PIN and gave no right one."""
    PIN_LOCKED = "pin-locked"
    """Too many wrong PINs before: the caller was refused, or told so at its next try."""
    SESSION_BUSY = "session-busy"
    SESSION_ENDED = "session-ended"
    """The session expired or was deleted before the bridge."""
    ORDER_EXPIRED = "order-expired"
    """No switch was there in time to place a call the service owed."""
    FIRST_RING_TIMEOUT = "first-ring-timeout"
    """In a call the service places, the first party is leg A: what befalls it has reasons of its own."""
    FIRST_BUSY = "first-busy"
    FIRST_DECLINED = "first-declined"
    FIRST_NO_ANSWER = "first-no-answer"
    FIRST_UNALLOCATED = "first-unallocated"
    FIRST_INVALID_ADDRESS = "first-invalid-address"
    FIRST_NOT_ACCEPTABLE = "first-not-acceptable"
    FIRST_REDIRECTED = "first-redirected"
    RING_TIMEOUT = "ring-timeout"
    CALLEE_BUSY = "callee-busy"
    CALLEE_DECLINED = "callee-declined"
    CALLEE_NO_ANSWER = "callee-no-answer"
    CALLEE_UNALLOCATED = "callee-unallocated"
    CALLEE_INVALID_ADDRESS = "callee-invalid-address"
    CALLEE_NOT_ACCEPTABLE = "callee-not-acceptable"
    CALLEE_REDIRECTED = "callee-redirected"
    CALLEE_GONE = "callee-gone"
    CARRIER_TIMEOUT = "carrier-timeout"
    CARRIER_REJECTED = "carrier-rejected"
    CARRIER_CONGESTED = "carrier-congested"
    CARRIER_FAILED = "carrier-failed"
    CARRIER_UNREACHABLE = "carrier-unreachable"
    MEDIA_TIMEOUT = "media-timeout"
    MEDIA_LOST = "media-lost"
    """Our media process died."""
    OVERLOADED = "overloaded"
    SWITCH_RESTARTED = "switch-restarted"
    SWITCH_LOST = "switch-lost"
    """The switch of the call never came back."""
    INTERNAL_ERROR = "internal-error"


class TerminationRow(NamedTuple):
    """One row of the table. `sip_status` is what the A-leg is told before it is answered."""

    result: Result
    q850: int
    sip_status: int
    plivo_cause: str
    plivo_code: int


_NORMAL = "Normal Hangup"
_REJECTED = "Rejected"
_ROUTING = "Routing Error"
_INTERNAL = "Internal Error"
_CHALLENGE = "Confirm Key Challenge Failed"

TERMINATIONS: Final[dict[Reason, TerminationRow]] = {
    Reason.CALLER_HUNG_UP: TerminationRow(Result.SUCCESS, 16, 487, _NORMAL, 4000),
    Reason.CALLEE_HUNG_UP: TerminationRow(Result.SUCCESS, 16, 480, _NORMAL, 4000),
    Reason.TIME_LIMIT: TerminationRow(Result.SUCCESS, 16, 480, "Scheduled Hangup", 6000),
    Reason.CALLER_CANCELLED: TerminationRow(Result.CALLER, 16, 487, "Canceled", 1000),
    Reason.CALLER_GONE: TerminationRow(Result.CALLER, 102, 408, "Request timeout", 3070),
    Reason.CALLER_NOT_ACCEPTABLE: TerminationRow(Result.CALLER, 88, 488, _REJECTED, 3020),
    Reason.UNKNOWN_NUMBER: TerminationRow(Result.CALLER, 1, 480, "Unallocated number", 3050),
    Reason.NOT_LEASED: TerminationRow(Result.CALLER, 1, 480, "Unallocated number", 3050),
    Reason.NO_CALLER: TerminationRow(Result.CALLER, 21, 480, _REJECTED, 3020),
    Reason.CALLER_IS_VIRTUAL: TerminationRow(Result.CALLER, 21, 480, _REJECTED, 3020),
    Reason.NO_SESSION: TerminationRow(Result.CALLER, 21, 480, _REJECTED, 3020),
    Reason.NO_COUNTERPART: TerminationRow(Result.CALLER, 21, 480, _REJECTED, 3020),
    Reason.PIN_FAILED: TerminationRow(Result.CALLER, 21, 480, _CHALLENGE, 9110),
    Reason.PIN_LOCKED: TerminationRow(Result.CALLER, 21, 480, _CHALLENGE, 9110),
    Reason.SESSION_BUSY: TerminationRow(Result.CALLER, 17, 486, "Busy Line", 3010),
    Reason.SESSION_ENDED: TerminationRow(Result.US, 16, 480, "Canceled", 1000),
    Reason.ORDER_EXPIRED: TerminationRow(Result.US, 31, 480, "Canceled", 1000),
    Reason.FIRST_RING_TIMEOUT: TerminationRow(Result.CALLER, 19, 480, "Ring Timeout Reached", 6010),
    Reason.FIRST_BUSY: TerminationRow(Result.CALLER, 17, 486, "Busy Line", 3010),
    Reason.FIRST_DECLINED: TerminationRow(Result.CALLER, 21, 603, _REJECTED, 3020),
    Reason.FIRST_NO_ANSWER: TerminationRow(Result.CALLER, 19, 480, "No Answer", 3000),
    Reason.FIRST_UNALLOCATED: TerminationRow(Result.CALLER, 1, 404, "Unallocated number", 3050),
    Reason.FIRST_INVALID_ADDRESS: TerminationRow(Result.CALLER, 28, 484, "Invalid Destination Address", 2000),
    Reason.FIRST_NOT_ACCEPTABLE: TerminationRow(Result.CALLER, 88, 488, _REJECTED, 3020),
    Reason.FIRST_REDIRECTED: TerminationRow(Result.CALLER, 23, 480, _REJECTED, 3020),
    Reason.RING_TIMEOUT: TerminationRow(Result.CALLEE, 19, 480, "Ring Timeout Reached", 6010),
    Reason.CALLEE_BUSY: TerminationRow(Result.CALLEE, 17, 486, "Busy Line", 3010),
    Reason.CALLEE_DECLINED: TerminationRow(Result.CALLEE, 21, 603, _REJECTED, 3020),
    Reason.CALLEE_NO_ANSWER: TerminationRow(Result.CALLEE, 19, 480, "No Answer", 3000),
    Reason.CALLEE_UNALLOCATED: TerminationRow(Result.CALLEE, 1, 404, "Unallocated number", 3050),
    Reason.CALLEE_INVALID_ADDRESS: TerminationRow(
        Result.CALLEE, 28, 484, "Invalid Destination Address", 2000
    ),
    Reason.CALLEE_NOT_ACCEPTABLE: TerminationRow(Result.CALLEE, 88, 488, _REJECTED, 3020),
    Reason.CALLEE_REDIRECTED: TerminationRow(Result.CALLEE, 23, 480, _REJECTED, 3020),
    Reason.CALLEE_GONE: TerminationRow(Result.CALLEE, 102, 408, "Request timeout", 3070),
    Reason.CARRIER_TIMEOUT: TerminationRow(Result.CARRIER, 102, 408, "Request timeout", 3070),
    Reason.CARRIER_REJECTED: TerminationRow(Result.CARRIER, 21, 480, _REJECTED, 3020),
    Reason.CARRIER_CONGESTED: TerminationRow(Result.CARRIER, 42, 503, "Destination Out Of Service", 2010),
    Reason.CARRIER_FAILED: TerminationRow(Result.CARRIER, 41, 503, "Destination Out Of Service", 2010),
    Reason.CARRIER_UNREACHABLE: TerminationRow(Result.CARRIER, 38, 503, "Destination Out Of Service", 2010),
    Reason.MEDIA_TIMEOUT: TerminationRow(Result.CARRIER, 41, 503, "Media Timeout", 6020),
    Reason.MEDIA_LOST: TerminationRow(Result.US, 41, 503, _INTERNAL, 5010),
    Reason.OVERLOADED: TerminationRow(Result.US, 42, 503, _ROUTING, 5020),
    Reason.SWITCH_RESTARTED: TerminationRow(Result.US, 41, 503, _INTERNAL, 5010),
    Reason.SWITCH_LOST: TerminationRow(Result.INDETERMINATE, 41, 503, "Unknown", 0),
    Reason.INTERNAL_ERROR: TerminationRow(Result.US, 41, 500, _INTERNAL, 5010),
}
"""Source: ITU-T Q.850 (10/2018) table 1; RFC 3398 section 8.2.6.1; Plivo, hangup causes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Termination:
    """The one ending of a call. `sip_status` and `q850` are those seen on the wire, where there were any."""

    result: Result
    reason: Reason
    q850: int | None
    sip_status: int | None

    @property
    def plivo_cause(self) -> str:
        """The text of Plivo's `PlivoHangupCause`."""
        return TERMINATIONS[self.reason].plivo_cause

    @property
    def plivo_code(self) -> int:
        """The number of Plivo's `PlivoHangupCauseCode`."""
        return TERMINATIONS[self.reason].plivo_code


def terminate(reason: Reason, *, q850: int | None = None, sip_status: int | None = None) -> Termination:
    """Build the termination of a reason; causes seen on the wire win over the table's."""
    row = TERMINATIONS[reason]
    return Termination(
        result=row.result,
        reason=reason,
        q850=row.q850 if q850 is None else q850,
        sip_status=row.sip_status if sip_status is None else sip_status,
    )


_CALLEE_FAILURES: Final[dict[int, Reason]] = {
    401: Reason.CARRIER_REJECTED,
    402: Reason.CARRIER_REJECTED,
    403: Reason.CARRIER_REJECTED,
    404: Reason.CALLEE_UNALLOCATED,
    407: Reason.CARRIER_REJECTED,
    408: Reason.CARRIER_TIMEOUT,
    410: Reason.CALLEE_UNALLOCATED,
    480: Reason.CALLEE_NO_ANSWER,
    484: Reason.CALLEE_INVALID_ADDRESS,
    486: Reason.CALLEE_BUSY,
    488: Reason.CALLEE_NOT_ACCEPTABLE,
    503: Reason.CARRIER_CONGESTED,
    600: Reason.CALLEE_BUSY,
    603: Reason.CALLEE_DECLINED,
    604: Reason.CALLEE_UNALLOCATED,
    606: Reason.CALLEE_NOT_ACCEPTABLE,
    607: Reason.CALLEE_DECLINED,
}

# Carriers often answer a phone's own doing with a general status and put the truth into Reason.
_CALLEE_CAUSES: Final[dict[int, Reason]] = {
    1: Reason.CALLEE_UNALLOCATED,
    17: Reason.CALLEE_BUSY,
    18: Reason.CALLEE_NO_ANSWER,
    19: Reason.CALLEE_NO_ANSWER,
    20: Reason.CALLEE_NO_ANSWER,
    22: Reason.CALLEE_UNALLOCATED,
    28: Reason.CALLEE_INVALID_ADDRESS,
}


def terminate_callee_failure(status: int, *, q850: int | None = None, is_local: bool = False) -> Termination:
    """Read a final failure of the B-leg; `is_local` when our own timer or socket made the status.

    A Q.850 cause from a Reason field refines statuses that say little (480, 5xx).

    Source: RFC 3261 section 21; RFC 3326; RFC 3398 section 7.2.6.1.
    """
    if is_local:
        reason = Reason.CARRIER_TIMEOUT if status == 408 else Reason.CARRIER_UNREACHABLE
    elif 300 <= status < 400:
        reason = Reason.CALLEE_REDIRECTED
    else:
        general = Reason.CARRIER_REJECTED if status < 500 else Reason.CARRIER_FAILED
        reason = _CALLEE_FAILURES.get(status, general)
        if q850 in _CALLEE_CAUSES and (status == 480 or 500 <= status < 600):
            reason = _CALLEE_CAUSES[q850]
    return terminate(reason, q850=q850, sip_status=status)


_FIRST_FAILURES: Final[dict[Reason, Reason]] = {
    Reason.CALLEE_BUSY: Reason.FIRST_BUSY,
    Reason.CALLEE_DECLINED: Reason.FIRST_DECLINED,
    Reason.CALLEE_NO_ANSWER: Reason.FIRST_NO_ANSWER,
    Reason.CALLEE_UNALLOCATED: Reason.FIRST_UNALLOCATED,
    Reason.CALLEE_INVALID_ADDRESS: Reason.FIRST_INVALID_ADDRESS,
    Reason.CALLEE_NOT_ACCEPTABLE: Reason.FIRST_NOT_ACCEPTABLE,
    Reason.CALLEE_REDIRECTED: Reason.FIRST_REDIRECTED,
}


def terminate_first_failure(status: int, *, q850: int | None = None, is_local: bool = False) -> Termination:
    """Read a final failure of leg A in a call the service places: as `terminate_callee_failure`, of the other person.

    What the carrier did keeps its name.
    """
    failed = terminate_callee_failure(status, q850=q850, is_local=is_local)
    reason = _FIRST_FAILURES.get(failed.reason, failed.reason)
    return terminate(reason, q850=q850, sip_status=status)
