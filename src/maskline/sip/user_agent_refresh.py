"""Session timers of a user agent's legs: refreshes sent and answered, and the end of a session without any.

Theory of operation. Every established leg has a `SessionTimer`. Each 2xx to an INVITE, re-INVITE or UPDATE, ours or
the peer's, says anew how long the session lives and who refreshes it, and starts the timer again; where the peer
knows nothing of timers we refresh all the same, to learn whether it is still there. Our refresh is an UPDATE without
description where the peer allows UPDATE, else a re-INVITE with the description last sent. The owner hears nothing of
all this but the end: `HungUp` with the cause EXPIRED.

Source: RFC 4028 sections 7 to 10; the rules are in `session_timer`.
"""

from functools import lru_cache
from math import inf
from typing import Final

from maskline.sip.errors import RemoteProtocolError
from maskline.sip.events import HangUpCause
from maskline.sip.message import Message, Request, Response
from maskline.sip.session_timer import (
    MIN_SE_S_DEFAULT,
    NO_WISH,
    UAC,
    UAS,
    Agreement,
    Wish,
    answer_wish,
    is_too_small,
    life_s,
    parse_min_se,
    read_answer,
    read_wish,
)
from maskline.sip.timers import TimerName
from maskline.sip.transaction_client import ClientTransaction, Purpose
from maskline.sip.user_agent_auth import CHALLENGES
from maskline.sip.user_agent_core import Core
from maskline.sip.user_agent_leg import Leg, LegState, SessionTimer
from maskline.sip.user_agent_messages import ALLOW, Items
from maskline.sip.user_agent_screening import Refusal
from maskline.sip.user_agent_session import Sessions

# A peer that wants longer than a day between refreshes does not want any.
INTERVAL_S_ACCEPTED_MAX: Final = 86_400
# When a refresh cannot be sent now, or was refused: soon, but a peer in trouble is left some peace.
RETRY_S: Final = 10.0
# RFC 3261, 14.1 after a 491: whoever made the Call-ID waits 2.1 to 4 s, the other 0 to 2.
GLARE_S_OF_CALLER: Final = 3.0
GLARE_S_OF_CALLEE: Final = 1.0
# Alarms are set for powers of two and set again for what is left, since each length has a queue of its own.
STEP_S_MIN: Final = 1
EARLY_S: Final = STEP_S_MIN / 2
_REFRESHING: Final = frozenset({"INVITE", "UPDATE"})
# Answers that mean the method and not the session.
_UPDATE_UNKNOWN: Final = frozenset({405, 420, 501})
# What peers usually ask for is a handful of values; fields made of them are shared by all their calls.
_FIELDS_CACHE_MAX: Final = 256


class SessionTimers:
    """The timers of all legs. `Leg.wish` is what the request that waits for our 2xx says."""

    def __init__(self, core: Core, sessions: Sessions) -> None:
        self._core = core
        self._sessions = sessions

    # --- what messages say ----------------------------------------------------------------------------------

    def check(self, wish: Wish) -> Refusal | None:
        """Refuse a request whose interval is below what we allow."""
        min_s = self._core.settings.min_se_s
        return Refusal(422, (("Min-SE", str(min_s)),)) if is_too_small(wish, min_s) else None

    def invite_fields(self, leg: Leg) -> Items:
        """Return what our INVITE says; the choice of the refresher is the peer's."""
        interval_s = self._core.settings.session_expires_s
        return _invite_fields(interval_s, leg.min_se_s, is_100rel_wanted=leg.is_100rel_wanted)

    def request_fields(self, leg: Leg) -> Items:
        """Return what our request within a dialog says, which keeps the roles; a restored leg has no timer."""
        timer = leg.session_timer
        if timer is None:
            return ()
        interval_s = max(timer.interval_s, leg.min_se_s)
        expires = f"{interval_s};refresher={UAC if timer.is_ours else UAS}"
        return ("Supported", "timer"), ("Session-Expires", expires), *_min_se(leg.min_se_s)

    def answer_fields(self, leg: Leg, now: float) -> Items:
        """Decide what our 2xx to the request in hand says, and start the timer by it."""
        settings = self._core.settings
        timer = leg.session_timer
        is_ours_now = timer is None or timer.is_ours
        agreement, fields = _agree(leg.wish, settings.session_expires_s, settings.min_se_s, is_ours_now)
        leg.wish = NO_WISH
        self._start(leg, agreement, now)
        return fields

    def answered(self, leg: Leg, response: Response, now: float) -> None:
        """Start the timer by the peer's 2xx to a request of ours."""
        settings = self._core.settings
        try:
            wish = read_wish(response)
        except RemoteProtocolError:
            wish = NO_WISH  # the 2xx counts whatever else is wrong with it
        note_allowed(leg, response)
        min_s = max(settings.min_se_s, leg.min_se_s)
        self._start(leg, read_answer(wish, ours_s=settings.session_expires_s, min_s=min_s), now)

    def raise_interval(self, leg: Leg, response: Response) -> bool:
        """Take the Min-SE of a 422 up; False when there is no sense in asking again. Once a leg."""
        timer = leg.session_timer
        asked_s = self._core.settings.session_expires_s if timer is None else timer.interval_s
        value = response.headers.get("Min-SE")
        try:
            min_s = 0 if value is None else parse_min_se(value)
        except RemoteProtocolError:
            return False
        if leg.is_interval_raised or not max(asked_s, leg.min_se_s) < min_s <= INTERVAL_S_ACCEPTED_MAX:
            return False
        leg.is_interval_raised = True
        leg.min_se_s = min_s
        return True

    # --- the alarm ------------------------------------------------------------------------------------------

    def due(self, leg: Leg, now: float) -> None:
        """Refresh the session, or end it, or wait on."""
        timer = leg.session_timer
        assert timer is not None, "its alarm is cancelled with it"
        if timer.due_at - now > EARLY_S:
            self._arm(leg, timer, timer.due_at, now)
        elif timer.ends_at - now <= EARLY_S:
            self._sessions.lose(leg, now, HangUpCause.EXPIRED)
        else:
            self._refresh(leg, timer, now)

    def _start(self, leg: Leg, agreement: Agreement, now: float) -> None:
        timer = leg.session_timer
        if timer is None:
            timer = leg.session_timer = SessionTimer()
        timer.interval_s = interval_s = agreement.interval_s
        timer.is_ours = agreement.is_ours
        timer.has_met_glare = False
        timer.ends_at = now + life_s(interval_s) if agreement.is_agreed else inf
        self._arm(leg, timer, now + interval_s / 2 if agreement.is_ours else timer.ends_at, now)

    def _arm(self, leg: Leg, timer: SessionTimer, due_at: float, now: float) -> None:
        timers = self._core.timers
        timers.cancel(timer.alarm)
        timer.alarm = None
        due_at = min(due_at, timer.ends_at)
        timer.due_at = due_at
        if due_at != inf:
            whole_s = max(int(due_at - now), STEP_S_MIN)
            timer.alarm = timers.set(now, float(1 << whole_s.bit_length() - 1), TimerName.SESSION, leg)

    # --- our refresh ----------------------------------------------------------------------------------------

    def _refresh(self, leg: Leg, timer: SessionTimer, now: float, *, retry_count: int = 0) -> None:
        is_busy = leg.offer_in is not None or leg.offer_out is not None or leg.unacknowledged is not None
        if leg.state is not LegState.ESTABLISHED or (is_busy and not leg.is_update_allowed):
            self._arm(leg, timer, now + RETRY_S, now)
            return
        method = "UPDATE" if leg.is_update_allowed else "INVITE"
        timer.refresh = self._core.send_in_dialog(
            leg,
            method,
            Purpose.REFRESH,
            now,
            extra=(("Contact", leg.contact), ("Allow", ALLOW), *self.request_fields(leg)),
            body=b"" if leg.is_update_allowed else leg.local_sdp,
            retry_count=retry_count,
        )
        if not leg.is_update_allowed:
            leg.offer_out = timer.refresh
        self._arm(leg, timer, timer.ends_at, now)

    def response_received(
        self, leg: Leg | None, transaction: ClientTransaction, response: Response, now: float
    ) -> None:
        """Take an answer to our refresh; the leg may be gone or hung up already."""
        if response.status < 200:
            if transaction.request.method == "INVITE":
                self._core.bound(transaction, now)
        elif leg is not None:
            is_new = response.status >= 300 or self._sessions.confirm(leg, transaction, response)
            timer = leg.session_timer
            if not is_new or timer is None or timer.refresh is not transaction:
                return
            _forget(leg, timer, transaction)
            if response.status < 300:
                self.answered(leg, response, now)
            else:
                self._refused(leg, timer, transaction, response, now)

    def failed(self, leg: Leg, transaction: ClientTransaction, status: int, now: float) -> None:
        """End a session whose refresh was not answered (408) or cannot be delivered (503)."""
        timer = leg.session_timer
        if timer is not None and timer.refresh is transaction:
            _forget(leg, timer, transaction)
            cause = HangUpCause.TRANSPORT if status == 503 else HangUpCause.EXPIRED
            self._sessions.lose(leg, now, cause)

    def _refused(
        self, leg: Leg, timer: SessionTimer, transaction: ClientTransaction, response: Response, now: float
    ) -> None:
        status, retry_count = response.status, transaction.retry_count
        if status in {408, 481}:
            self._sessions.lose(leg, now, HangUpCause.EXPIRED)
        elif status in CHALLENGES and leg.authenticator is not None:
            if leg.authenticator.accept(response, retry_count):
                self._refresh(leg, timer, now, retry_count=retry_count + 1)
            else:
                self._wait(leg, timer, now)
        elif status == 422 and self.raise_interval(leg, response):
            self._refresh(leg, timer, now, retry_count=retry_count)
        elif status in _UPDATE_UNKNOWN and transaction.request.method == "UPDATE":
            leg.is_update_allowed = False
            self._refresh(leg, timer, now, retry_count=retry_count)
        elif status == 491 and not timer.has_met_glare:
            timer.has_met_glare = True
            glare_s = GLARE_S_OF_CALLEE if leg.invite_client is None else GLARE_S_OF_CALLER
            self._arm(leg, timer, now + glare_s, now)
        else:
            self._wait(leg, timer, now)

    def _wait(self, leg: Leg, timer: SessionTimer, now: float) -> None:
        """Try again later: half of what is left each time, so that tries are few.

        A peer that promised nothing has shown that it lives, which is all that was asked of it.
        """
        left_s = timer.interval_s if timer.ends_at == inf else timer.ends_at - now
        self._arm(leg, timer, now + max(left_s / 2, RETRY_S), now)


def note_allowed(leg: Leg, message: Message) -> None:
    """Note whether the peer allows UPDATE; a message without Allow changes nothing."""
    for value in message.headers.fields("Allow"):
        leg.is_update_allowed = "UPDATE" in value  # no other method has it in its name
        if leg.is_update_allowed:
            return


def wish_of(request: Request) -> Wish:
    """Return what a request says that can refresh a session. Raises RemoteProtocolError."""
    return read_wish(request) if request.method in _REFRESHING else NO_WISH


def _forget(leg: Leg, timer: SessionTimer, transaction: ClientTransaction) -> None:
    timer.refresh = None
    if leg.offer_out is transaction:
        leg.offer_out = None


def _min_se(min_se_s: int) -> Items:
    return () if min_se_s == MIN_SE_S_DEFAULT else (("Min-SE", str(min_se_s)),)


@lru_cache(_FIELDS_CACHE_MAX)
def _invite_fields(interval_s: int, min_se_s: int, *, is_100rel_wanted: bool) -> Items:
    supported = ("Supported", "timer, 100rel" if is_100rel_wanted else "timer")
    return supported, ("Session-Expires", str(max(interval_s, min_se_s))), *_min_se(min_se_s)


@lru_cache(_FIELDS_CACHE_MAX)
def _agree(wish: Wish, ours_s: int, min_s: int, is_ours_now: bool) -> tuple[Agreement, Items]:  # noqa: FBT001 - a key
    agreement = answer_wish(wish, ours_s=ours_s, min_s=min_s, is_ours_now=is_ours_now)
    expires = f"{agreement.interval_s};refresher={UAS if agreement.is_ours else UAC}"
    fields: Items = (("Supported", "timer"), ("Session-Expires", expires))
    return agreement, fields if agreement.is_ours else (*fields, ("Require", "timer"))
