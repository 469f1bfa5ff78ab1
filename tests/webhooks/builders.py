"""Values of this package with everything a test does not care about filled in."""

from dataclasses import replace
from typing import Any, Final

from maskline.core.delivery import DeliveryFacts, Dialect, LeasedDelivery
from maskline.core.events import DomainEvent, EventKind
from maskline.core.masking import CallbackMethod
from maskline.core.numbers import DID, E164
from maskline.core.secret import Secret

NOW: Final = 1_790_000_000_000_000  # 2026-09-21 14:13:20 UTC
SECOND: Final = 1_000_000
SESSION_ID: Final = "6f1e1a52-2a0c-4a39-8c1e-2c1d9a3a5f10"
CALLER: Final = "+919812300001"
CALLEE: Final = "+919812300002"
TOKEN: Final = "tok_Secret123"  # of the reference's test vectors
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def an_event(kind: EventKind = EventKind.PARTY_ANSWERED, **facts: Any) -> DomainEvent:
    """An event of a call of the first party."""
    return DomainEvent(
        id=7,
        account_id=1,
        session_id=SESSION_ID,
        call_id="0b9a5a0e-6f1b-4a57-9d1e-0d5b7c7a1b11",
        kind=kind,
        sequence=3,
        occurred_at=NOW,
        facts={"caller": "a" * 32, "callee": "b" * 32, "role": "first", **facts},
    )


def some_facts(**changed: Any) -> DeliveryFacts:
    """What a request is built from, with both numbers known."""
    facts = DeliveryFacts(
        auth_id="MAXXXXXXXXXXXXXXXXXX",
        account_token=Secret(TOKEN),
        owner_token=Secret(TOKEN),
        endpoint_secret=Secret(SECRET),
        sends_numbers=False,
        virtual_number=DID("+912200000000"),
        has_first=True,
        caller=E164(CALLER),
        callee=E164(CALLEE),
    )
    return replace(facts, **changed)


def a_delivery(**changed: Any) -> LeasedDelivery:
    """The first attempt at a callback by POST."""
    delivery = LeasedDelivery(
        id=11,
        message_id="0c3ff0a5-4c6e-4f0e-9d0e-2b1f6a7c8d9e",
        receiver="r" * 32,
        dialect=Dialect.PLIVO,
        url="https://app.example.com/cb",
        method=CallbackMethod.POST,
        worker_id="worker",
        lease_until=NOW + 90 * SECOND,
        attempt_count=0,
        created_at=NOW,
        give_up_at=NOW + 72 * 3600 * SECOND,
        event=an_event(),
        facts=some_facts(),
    )
    return replace(delivery, **changed)
