"""The worker on real sockets: a receiver on loopback, the real client, the real database and its threads."""

import asyncio
from urllib.parse import parse_qsl

import pytest
from plivo.utils import validate_v3_signature
from standardwebhooks import Webhook
from tests.webhooks.live import DEADLINE_S, Live, with_live
from tests.world import SECOND, peek

from maskline.clock import SystemClock
from maskline.core.delivery import EndpointCreated, NewEndpoint
from maskline.core.events import EventKind
from maskline.core.masking import CallbackMethod
from maskline.store.engine import Store, Tx
from maskline.workflows.webhook_endpoints import create_endpoint


async def test_callbacks_arrive_signed(store: Store) -> None:
    """A call's steps arrive in order, by POST and by GET, and the vendor's validator accepts each as it arrived."""

    async def test(live: Live) -> None:
        token = live.world.account.token.reveal()
        for index, method in enumerate(CallbackMethod):
            url = live.receiver.url(f"/cb/{method.value}?tenant=7#rt=3000")
            session = live.world.create(
                2 * index + 1, 2 * index + 2, callback_url=url, callback_method=method
            )
            live.report(session, EventKind.PARTY_ANSWERED, role="first")
            live.report(session, EventKind.PARTY_HUNG_UP, role="first", duration_s=3, reason="time-limit")
        received = await live.until(4)
        by_method: dict[str, list[str]] = {"GET": [], "POST": []}
        for it in received:
            assert validate_v3_signature(
                it.method,
                live.receiver.url(it.target),
                it.headers["x-plivo-signature-v3-nonce"],
                token,
                it.headers["x-plivo-signature-v3"],
                dict(parse_qsl(it.body, keep_blank_values=True)),
            )
            fields = dict(parse_qsl(it.body or it.target.partition("?")[2], keep_blank_values=True))
            by_method[it.method].append(fields["EventName"])
        names = ["SessionFirstPartyAnswer", "SessionFirstPartyHangup"]
        assert by_method == {"GET": names, "POST": names}
        await live.until_state("delivered", 4)

    await with_live(store, test)


async def test_webhooks_verify_with_the_standards_library(store: Store) -> None:
    """Whole verification, the time included, by the library's own rules."""

    async def test(live: Live) -> None:
        new = NewEndpoint(url=live.receiver.url("/hook"))
        created = live.world.store.run(create_endpoint, live.world.account.id, new, live.world.now)
        assert isinstance(created, EndpointCreated)
        session = live.world.create()
        live.worker.notify()
        [it] = await live.until(1)
        event = Webhook(created.secret.reveal()).verify(it.body, it.headers)
        assert (event["type"], event["data"]["session_id"]) == ("session.created", session.id)
        assert it.headers["content-type"] == "application/json"

    await with_live(store, test)


async def test_a_private_address_is_refused_and_shown(store: Store) -> None:
    """Without the operator's permission nothing is sent to a private network, and the list says why."""

    async def test(live: Live) -> None:
        session = live.world.create(callback_url=live.receiver.url("/cb"))
        live.report(session, EventKind.PARTY_ANSWERED, role="first")
        query = "SELECT last_error FROM delivery WHERE attempt_count > 0"
        async with asyncio.timeout(DEADLINE_S):
            while not (found := peek(live.world.store, query)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert found == [("refused-address-not-public",)]
        assert live.receiver.received == []

    await with_live(store, test, allowed=())


@pytest.mark.parametrize("status", [302, 500])
async def test_a_failure_is_tried_again_with_the_same_body(store: Store, status: int) -> None:
    """A redirect is not followed; the next attempt says the same under another nonce."""

    async def test(live: Live) -> None:
        live.receiver.statuses = [status]
        session = live.world.create(callback_url=live.receiver.url("/cb"))
        live.report(session, EventKind.PARTY_ANSWERED, role="first")
        first = (await live.until(1))[0]
        await live.until_state("pending", 1)
        live.world.store.run(_make_due, SystemClock().now())
        second = (await live.until(2))[1]
        assert second.body == first.body
        nonce = "x-plivo-signature-v3-nonce"
        assert second.headers[nonce] != first.headers[nonce]
        await live.until_state("delivered", 1)

    await with_live(store, test)


def _make_due(tx: Tx, now: int) -> None:
    tx._raw.execute(f"UPDATE delivery SET next_at = {now - SECOND}")
