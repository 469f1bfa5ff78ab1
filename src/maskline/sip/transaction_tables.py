"""The four transaction state machines as data.

Theory of operation. A transaction is a state and what it must send again. Whatever happens to it is an `Input`;
the table of its kind maps (state, input) to the next state and the actions, in order. A missing key is an
illegal transition: it raises LocalProtocolError and changes nothing. What a peer or the network can cause has a
key in every state it can meet; missing are only our own mistakes (a second final answer) and timers in states
that never arm them. All transitions live here; the tables know neither clock nor transport. Over a reliable
transport the same tables hold: the actions that arm retransmission timers do nothing, lingering takes no time.

Source: RFC 3261 section 17, figures 5 to 8; RFC 6026 sections 7 and 8 (Accepted); ours is `Silent`, an INVITE
that is to stay unanswered.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from maskline.sip.errors import LocalProtocolError


class State(StrEnum):
    """States of all four machines, by their names in the RFCs."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    SILENT = "silent"
    TERMINATED = "terminated"


class Input(StrEnum):
    """Everything that can happen to a transaction."""

    RESPONSE_1XX = "response-1xx"
    RESPONSE_2XX = "response-2xx"
    RESPONSE_FAILURE = "response-failure"
    """3xx to 6xx received."""
    REQUEST = "request"
    """The request of a server transaction came again."""
    ACK = "ack"
    """An ACK with the branch of the INVITE."""
    SEND_1XX = "send-1xx"
    SEND_2XX = "send-2xx"
    SEND_FAILURE = "send-failure"
    DROP = "drop"
    """Leave the INVITE without any answer."""
    ABANDON = "abandon"
    """Stop waiting for an INVITE that was cancelled (RFC 3261, 9.1)."""
    RETRANSMIT = "retransmit"
    TIMEOUT = "timeout"
    LINGER = "linger"
    TRANSPORT_ERROR = "transport-error"


class Action(StrEnum):
    """Everything a transaction does."""

    SEND = "send"
    """Send this answer and remember it."""
    REPLAY = "replay"
    """Send what was sent last once more; nothing when nothing was."""
    ACK = "ack"
    """Acknowledge this failure, hop by hop (17.1.1.3)."""
    PASS = "pass"  # noqa: S105 - no password
    """Hand the message to the user of the transaction."""
    TIMED_OUT = "timed-out"
    """Tell the user that nobody answered."""
    TRANSPORT_FAILED = "transport-failed"
    """Tell the user that the message cannot be delivered."""
    BACK_OFF = "back-off"
    """Arm the retransmission timer with the doubled interval, of non-INVITEs and answers at most T2."""
    SLOW_DOWN = "slow-down"
    """Arm the retransmission timer with T2 (17.1.2.2, Proceeding)."""
    STOP_RETRANSMIT = "stop-retransmit"
    STOP_TIMEOUT = "stop-timeout"
    START_RETRANSMIT = "start-retransmit"
    """Arm the retransmission timer with T1."""
    START_TIMEOUT = "start-timeout"
    """Arm the timeout with 64*T1."""
    LINGER_ACK = "linger-ack"
    """Timer D: 32 s."""
    LINGER_2XX = "linger-2xx"
    """Timers L and M: 64*T1, over reliable transports too."""
    LINGER_REQUEST = "linger-request"
    """Timer J: 64*T1."""
    LINGER_T4 = "linger-t4"
    """Timers I and K: T4."""


Transition = tuple[State, tuple[Action, ...]]
Table = Mapping[tuple[State, Input], Transition]

_STOP = (Action.STOP_RETRANSMIT, Action.STOP_TIMEOUT)
_ABSORB: tuple[Action, ...] = ()

# RFC 3261, figure 5; RFC 6026, 7.2 and figure 5.
INVITE_CLIENT: Table = MappingProxyType(
    {
        (State.CALLING, Input.RESPONSE_1XX): (State.PROCEEDING, (*_STOP, Action.PASS)),
        (State.CALLING, Input.RESPONSE_2XX): (State.ACCEPTED, (*_STOP, Action.LINGER_2XX, Action.PASS)),
        (State.CALLING, Input.RESPONSE_FAILURE): (
            State.COMPLETED,
            (*_STOP, Action.LINGER_ACK, Action.ACK, Action.PASS),
        ),
        (State.CALLING, Input.RETRANSMIT): (State.CALLING, (Action.REPLAY, Action.BACK_OFF)),
        (State.CALLING, Input.TIMEOUT): (State.TERMINATED, (Action.STOP_RETRANSMIT, Action.TIMED_OUT)),
        (State.CALLING, Input.TRANSPORT_ERROR): (State.TERMINATED, (*_STOP, Action.TRANSPORT_FAILED)),
        (State.CALLING, Input.ABANDON): (State.TERMINATED, (*_STOP, Action.TIMED_OUT)),
        (State.PROCEEDING, Input.RESPONSE_1XX): (State.PROCEEDING, (Action.PASS,)),
        (State.PROCEEDING, Input.RESPONSE_2XX): (State.ACCEPTED, (Action.LINGER_2XX, Action.PASS)),
        (State.PROCEEDING, Input.RESPONSE_FAILURE): (
            State.COMPLETED,
            (Action.LINGER_ACK, Action.ACK, Action.PASS),
        ),
        (State.PROCEEDING, Input.TRANSPORT_ERROR): (State.TERMINATED, (Action.TRANSPORT_FAILED,)),
        (State.PROCEEDING, Input.ABANDON): (State.TERMINATED, (Action.TIMED_OUT,)),
        (State.COMPLETED, Input.RESPONSE_1XX): (State.COMPLETED, _ABSORB),
        # No correct proxy sends this; passing it on lets the user end the dialog the callee believes in.
        (State.COMPLETED, Input.RESPONSE_2XX): (State.COMPLETED, (Action.PASS,)),
        (State.COMPLETED, Input.RESPONSE_FAILURE): (State.COMPLETED, (Action.REPLAY,)),
        (State.COMPLETED, Input.TRANSPORT_ERROR): (State.COMPLETED, _ABSORB),
        (State.COMPLETED, Input.LINGER): (State.TERMINATED, _ABSORB),
        (State.ACCEPTED, Input.RESPONSE_1XX): (State.ACCEPTED, _ABSORB),
        (State.ACCEPTED, Input.RESPONSE_2XX): (State.ACCEPTED, (Action.PASS,)),
        (State.ACCEPTED, Input.RESPONSE_FAILURE): (State.ACCEPTED, _ABSORB),
        (State.ACCEPTED, Input.TRANSPORT_ERROR): (State.ACCEPTED, _ABSORB),
        (State.ACCEPTED, Input.LINGER): (State.TERMINATED, _ABSORB),
    }
)

# RFC 3261, figure 6.
NON_INVITE_CLIENT: Table = MappingProxyType(
    {
        (State.TRYING, Input.RESPONSE_1XX): (State.PROCEEDING, (Action.PASS,)),
        (State.TRYING, Input.RESPONSE_2XX): (State.COMPLETED, (*_STOP, Action.LINGER_T4, Action.PASS)),
        (State.TRYING, Input.RESPONSE_FAILURE): (State.COMPLETED, (*_STOP, Action.LINGER_T4, Action.PASS)),
        (State.TRYING, Input.RETRANSMIT): (State.TRYING, (Action.REPLAY, Action.BACK_OFF)),
        (State.TRYING, Input.TIMEOUT): (State.TERMINATED, (Action.STOP_RETRANSMIT, Action.TIMED_OUT)),
        (State.TRYING, Input.TRANSPORT_ERROR): (State.TERMINATED, (*_STOP, Action.TRANSPORT_FAILED)),
        (State.PROCEEDING, Input.RESPONSE_1XX): (State.PROCEEDING, (Action.PASS,)),
        (State.PROCEEDING, Input.RESPONSE_2XX): (State.COMPLETED, (*_STOP, Action.LINGER_T4, Action.PASS)),
        (State.PROCEEDING, Input.RESPONSE_FAILURE): (
            State.COMPLETED,
            (*_STOP, Action.LINGER_T4, Action.PASS),
        ),
        (State.PROCEEDING, Input.RETRANSMIT): (State.PROCEEDING, (Action.REPLAY, Action.SLOW_DOWN)),
        (State.PROCEEDING, Input.TIMEOUT): (State.TERMINATED, (Action.STOP_RETRANSMIT, Action.TIMED_OUT)),
        (State.PROCEEDING, Input.TRANSPORT_ERROR): (State.TERMINATED, (*_STOP, Action.TRANSPORT_FAILED)),
        (State.COMPLETED, Input.RESPONSE_1XX): (State.COMPLETED, _ABSORB),
        (State.COMPLETED, Input.RESPONSE_2XX): (State.COMPLETED, _ABSORB),
        (State.COMPLETED, Input.RESPONSE_FAILURE): (State.COMPLETED, _ABSORB),
        (State.COMPLETED, Input.TRANSPORT_ERROR): (State.COMPLETED, _ABSORB),
        (State.COMPLETED, Input.LINGER): (State.TERMINATED, _ABSORB),
    }
)

# RFC 3261, figure 7; RFC 6026, 7.1 and figure 3.
INVITE_SERVER: Table = MappingProxyType(
    {
        (State.PROCEEDING, Input.REQUEST): (State.PROCEEDING, (Action.REPLAY,)),
        (State.PROCEEDING, Input.ACK): (State.PROCEEDING, _ABSORB),
        (State.PROCEEDING, Input.SEND_1XX): (State.PROCEEDING, (Action.SEND,)),
        (State.PROCEEDING, Input.SEND_2XX): (State.ACCEPTED, (Action.LINGER_2XX, Action.SEND)),
        (State.PROCEEDING, Input.SEND_FAILURE): (
            State.COMPLETED,
            (Action.START_RETRANSMIT, Action.START_TIMEOUT, Action.SEND),
        ),
        (State.PROCEEDING, Input.DROP): (State.SILENT, (Action.LINGER_2XX,)),
        (State.PROCEEDING, Input.TRANSPORT_ERROR): (State.TERMINATED, (Action.TRANSPORT_FAILED,)),
        (State.COMPLETED, Input.REQUEST): (State.COMPLETED, (Action.REPLAY,)),
        (State.COMPLETED, Input.ACK): (State.CONFIRMED, (*_STOP, Action.LINGER_T4)),
        (State.COMPLETED, Input.RETRANSMIT): (State.COMPLETED, (Action.REPLAY, Action.BACK_OFF)),
        (State.COMPLETED, Input.TIMEOUT): (State.TERMINATED, (Action.STOP_RETRANSMIT,)),
        (State.COMPLETED, Input.TRANSPORT_ERROR): (State.TERMINATED, _STOP),
        (State.CONFIRMED, Input.REQUEST): (State.CONFIRMED, _ABSORB),
        (State.CONFIRMED, Input.ACK): (State.CONFIRMED, _ABSORB),
        (State.CONFIRMED, Input.TRANSPORT_ERROR): (State.CONFIRMED, _ABSORB),
        (State.CONFIRMED, Input.LINGER): (State.TERMINATED, _ABSORB),
        (State.ACCEPTED, Input.REQUEST): (State.ACCEPTED, _ABSORB),
        # The user repeats the 2xx itself, and an ACK that reuses the branch of the INVITE is the user's as well.
        (State.ACCEPTED, Input.ACK): (State.ACCEPTED, (Action.PASS,)),
        (State.ACCEPTED, Input.TRANSPORT_ERROR): (State.ACCEPTED, _ABSORB),
        (State.ACCEPTED, Input.LINGER): (State.TERMINATED, _ABSORB),
        (State.SILENT, Input.REQUEST): (State.SILENT, _ABSORB),
        (State.SILENT, Input.ACK): (State.SILENT, _ABSORB),
        (State.SILENT, Input.TRANSPORT_ERROR): (State.SILENT, _ABSORB),
        (State.SILENT, Input.LINGER): (State.TERMINATED, _ABSORB),
    }
)

# RFC 3261, figure 8. Provisional answers to non-INVITEs are never sent (RFC 4320, 4.1), so Proceeding is absent.
NON_INVITE_SERVER: Table = MappingProxyType(
    {
        (State.TRYING, Input.REQUEST): (State.TRYING, _ABSORB),
        (State.TRYING, Input.SEND_2XX): (State.COMPLETED, (Action.LINGER_REQUEST, Action.SEND)),
        (State.TRYING, Input.SEND_FAILURE): (State.COMPLETED, (Action.LINGER_REQUEST, Action.SEND)),
        (State.TRYING, Input.TRANSPORT_ERROR): (State.TERMINATED, (Action.TRANSPORT_FAILED,)),
        (State.COMPLETED, Input.REQUEST): (State.COMPLETED, (Action.REPLAY,)),
        (State.COMPLETED, Input.TRANSPORT_ERROR): (State.COMPLETED, _ABSORB),
        (State.COMPLETED, Input.LINGER): (State.TERMINATED, _ABSORB),
    }
)


def look_up(table: Table, state: State, what: Input) -> Transition:
    """Return the next state and the actions. Raises LocalProtocolError when the table has no such cell."""
    transition = table.get((state, what))
    if transition is None:
        raise LocalProtocolError(f"{what.value} is illegal in state {state.value}")
    return transition
