"""Hands the answers to our requests, or their absence, to whoever sent them."""

from typing import assert_never

from maskline.sip.events import LegID
from maskline.sip.message import Response
from maskline.sip.transaction_client import ClientTransaction, Purpose
from maskline.sip.user_agent_core import Core
from maskline.sip.user_agent_leg import Leg
from maskline.sip.user_agent_offers import Offers
from maskline.sip.user_agent_outgoing import OutgoingLegs
from maskline.sip.user_agent_refresh import SessionTimers
from maskline.sip.user_agent_reliable import ReliableProvisionals
from maskline.sip.user_agent_requests import Requests
from maskline.sip.user_agent_session import Sessions


class Responses:
    """The user side of client transactions."""

    def __init__(
        self,
        core: Core,
        *,
        sessions: Sessions,
        offers: Offers,
        outgoing: OutgoingLegs,
        requests: Requests,
        timers: SessionTimers,
        reliable: ReliableProvisionals,
    ) -> None:
        self._core = core
        self._sessions = sessions
        self._offers = offers
        self._outgoing = outgoing
        self._requests = requests
        self._timers = timers
        self._reliable = reliable

    def received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """Take a response that a transaction passes on."""
        match transaction.purpose:
            case Purpose.INVITE:
                self._outgoing.response_received(self._leg(transaction), transaction, response, now)
            case Purpose.REINVITE | Purpose.UPDATE:
                self._offers.response_received(self._leg(transaction), transaction, response, now)
            case Purpose.REFRESH:
                self._timers.response_received(self._leg(transaction), transaction, response, now)
            case Purpose.PRACK:
                self._reliable.prack_answered(self._leg(transaction), transaction, response, now)
            case Purpose.BYE:
                leg = self._leg(transaction)
                if leg is not None and response.status >= 200:
                    self._sessions.bye_answered(leg, transaction, response, now)
            case Purpose.CANCEL:
                pass  # the INVITE's own final answer says what came of it
            case Purpose.REQUEST:
                self._requests.response_received(transaction, response, now)
            case _:
                assert_never(transaction.purpose)

    def missing(self, transaction: ClientTransaction, status: int, now: float) -> None:
        """Learn that a request was not answered (408) or could not be delivered (503)."""
        leg = self._leg(transaction)
        match transaction.purpose:
            case Purpose.INVITE:
                if leg is not None and leg.invite_client is transaction:
                    self._outgoing.failed(leg, status, now)
            case Purpose.REINVITE | Purpose.UPDATE:
                if leg is not None:
                    self._offers.failed(leg, transaction, status, now)
            case Purpose.REFRESH:
                if leg is not None:
                    self._timers.failed(leg, transaction, status, now)
            case Purpose.BYE:
                if leg is not None:
                    self._sessions.bye_answered(leg, transaction, None, now)
            case Purpose.CANCEL | Purpose.PRACK:
                pass  # the wait for the INVITE's own answer is bounded already
            case Purpose.REQUEST:
                self._requests.failed(transaction, status)
            case _:
                assert_never(transaction.purpose)

    def _leg(self, transaction: ClientTransaction) -> Leg | None:
        owner = transaction.owner
        return None if owner is None else self._core.legs.get(LegID(owner))
