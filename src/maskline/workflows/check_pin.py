"""Look at a PIN that a caller has entered."""

from typing import NamedTuple

from maskline.core.events import EventKind
from maskline.core.masking import MICROSECONDS, Role
from maskline.core.numbers import ANYONE, DID, E164
from maskline.core.pin import (
    PIN_LIMITS,
    PartyTries,
    PinLimits,
    TryWindow,
    count_wrong,
    decide_wait_until,
    is_locked,
)
from maskline.core.routing import (
    PinAccepted,
    PinDialogue,
    PinLocked,
    PinOutcome,
    PinStanding,
    PinWrong,
    build_connect,
)
from maskline.core.secret import Secret
from maskline.store import outbox, pins
from maskline.store.engine import Tx
from maskline.store.pins import PinNumber
from maskline.store.routes import WITHHELD


def check_pin(
    tx: Tx,
    *,
    number: DID,
    caller: E164 | None,
    digits: Secret,
    dialogue: PinDialogue,
    now: int,
    limits: PinLimits = PIN_LIMITS,
) -> PinOutcome:
    """Say whether `digits`, entered on `number` in `dialogue`, open a session for the caller; count wrong ones.

    A stranger's PIN may be that of any live session on the number. A right one forgets the caller's wrong ones; a
    locked caller's is not looked at. No digits at all are wrong, but no guess, and are not counted.
    """
    on = pins.load_number(tx, number)
    if on is None:  # removed meanwhile
        return PinWrong()
    entered = _Try(on, number, digits.reveal(), dialogue, now, limits)
    if dialogue.forced_role is not None:
        return _check_party(tx, entered, dialogue.forced_role)
    return _check_stranger(tx, entered, WITHHELD if caller is None else tx.keys.ref(caller))


class _Try(NamedTuple):
    on: PinNumber
    number: DID
    digits: str
    dialogue: PinDialogue
    now: int
    limits: PinLimits


def _check_stranger(tx: Tx, it: _Try, subject: str) -> PinOutcome:
    limits, now = it.limits, it.now
    # Always in this order, so that two tries do not wait for each other.
    of_caller = pins.lock_tries(tx, it.on, subject, now)
    of_number = pins.lock_tries(tx, it.on, ANYONE, now)
    if is_locked(of_caller, limits.caller, now) or is_locked(of_number, limits.number, now):
        return PinLocked()
    if not it.digits:
        return PinWrong()
    if (accepted := _accept(tx, it, None)) is not None:
        if of_caller is not None:
            pins.update_tries(tx, it.on, subject, TryWindow(now, 0))
        return accepted
    pins.update_tries(tx, it.on, subject, count_wrong(of_caller, limits.caller, now))
    counted = count_wrong(of_number, limits.number, now)
    pins.update_tries(tx, it.on, ANYONE, counted)
    if counted.wrong_count == limits.number.wrong_count_max:
        _raise_alarm(tx, it, counted)
    return PinWrong()


def _check_party(tx: Tx, it: _Try, role: Role) -> PinOutcome:
    """Check the PIN of a registered party: only one of its own session counts, and wrong ones delay it alone."""
    session_id = it.dialogue.session_id
    tries = pins.lock_party_tries(tx, session_id, role, it.now)
    wait_until = decide_wait_until(tries, retry_count=it.dialogue.retry_count, limits=it.limits)
    if it.now < wait_until:
        return PinLocked()
    if not it.digits:
        return PinWrong()
    if (accepted := _accept(tx, it, role)) is not None:
        if tries is not None:
            pins.update_party_tries(tx, session_id, role, PartyTries(0, it.now))
        return accepted
    wrong_count = 1 if tries is None else tries.wrong_count + 1
    pins.update_party_tries(tx, session_id, role, PartyTries(wrong_count, it.now))
    return PinWrong()


def _accept(tx: Tx, it: _Try, forced_role: Role | None) -> PinAccepted | None:
    forced = None if forced_role is None else (it.dialogue.session_id, forced_role)
    found = pins.find_session(tx, it.on, it.digits, it.now, forced=forced)
    if found is None or found.callee is None:  # nobody to reach: told as if the PIN were wrong
        return None
    connect = build_connect(found, found.callee, it.number, it.on.trunk_id, PinStanding.ACCEPTED)
    return PinAccepted(connect=connect)


def _raise_alarm(tx: Tx, it: _Try, counted: TryWindow) -> None:
    """Tell of a number on which strangers may try no more; a window's count meets its limit once."""
    outbox.insert_event(
        tx,
        EventKind.PIN_ALARM,
        account_id=it.dialogue.account_id,
        session_id=it.dialogue.session_id,
        sequence=outbox.take_sequence(tx, it.dialogue.session_id),
        occurred_at=it.now,
        facts={
            "wrong_count": counted.wrong_count,
            "locked_until": counted.opened_at + it.limits.number.window_s * MICROSECONDS,
        },
    )


def forget_pin_tries(tx: Tx, now: int, limits: PinLimits = PIN_LIMITS) -> int:
    """Delete up to 500 tries that count no more, of callers and of parties; return how many of the more frequent kind.

    Nothing depends on it. Run again while it returns 500.
    """
    window_s = max(limits.caller.window_s, limits.number.window_s)
    callers_count = pins.forget_tries(tx, now - window_s * MICROSECONDS)
    return max(callers_count, pins.forget_party_tries(tx, now))
