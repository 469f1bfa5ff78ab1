"""Callbacks that the worker really sent, checked by the vendor's own validators in Python and in Node."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from plivo.utils import validate_signature, validate_v3_signature
from tests.webhooks.live import Live, Received, with_live
from tests.webhooks.node_sdk import check_with_node
from tests.webhooks.test_plivo import RECORDING_NAMES, SESSION_NAMES
from tests.world import poke

from maskline.clock import SystemClock
from maskline.core.events import EventKind
from maskline.core.inventory import Subaccount
from maskline.core.masking import CallbackMethod
from maskline.store.engine import Store
from maskline.webhooks.plivo import EVENT_NAMES
from maskline.workflows.accounts import create_subaccount

RECORDING = {"recording_id": "0" * 31 + "1", "format": "mp3"}
EVENTS: list[tuple[EventKind, dict[str, Any]]] = [
    (EventKind.PARTY_ANSWERED, {"role": "first"}),
    (EventKind.PARTY_RINGING, {"role": "second"}),
    (EventKind.PARTY_ANSWERED, {"role": "second"}),
    (EventKind.PARTY_HUNG_UP, {"role": "first", "duration_s": 3, "reason": "caller-hung-up"}),
    (EventKind.PARTY_HUNG_UP, {"role": "second", "duration_s": 3, "reason": "caller-hung-up"}),
    (EventKind.PIN_CHECKED, {"result": "accepted", "attempt": 1}),
    (EventKind.SESSION_EXPIRED, {}),
    (EventKind.CALL_FINISHED, {"caller_leg_s": 3, "callee_leg_s": 3, "reason": "caller-hung-up"}),
    (EventKind.RECORDING_STARTED, RECORDING),
    (EventKind.RECORDING_COMPLETED, RECORDING | {"duration_s": 3}),
    (EventKind.RECORDING_FAILED, RECORDING),
]


def python_accepts(it: Received, url: str, token: str, main_token: str) -> Iterator[bool]:
    """What the Python client says of the four signatures, as an application would ask it."""
    params = dict(parse_qsl(it.body, keep_blank_values=True))
    nonce = it.headers["x-plivo-signature-v3-nonce"]
    for name, key in (("x-plivo-signature-v3", token), ("x-plivo-signature-ma-v3", main_token)):
        yield validate_v3_signature(it.method, url, nonce, key, it.headers[name], dict(params))
    nonce = it.headers["x-plivo-signature-v2-nonce"]
    for name, key in (("x-plivo-signature-v2", token), ("x-plivo-signature-ma-v2", main_token)):
        yield validate_signature(url, nonce, it.headers[name], key)


def node_cases(it: Received, url: str, token: str, main_token: str) -> Iterator[dict[str, Any]]:
    """The same questions to the Node client."""
    params = dict(parse_qsl(it.body, keep_blank_values=True))
    for name, key in (("", token), ("ma-", main_token)):
        yield {
            "scheme": "v3",
            "method": it.method,
            "url": url,
            "nonce": it.headers["x-plivo-signature-v3-nonce"],
            "token": key,
            "signature": it.headers[f"x-plivo-signature-{name}v3"],
            "params": params,
        }
        yield {
            "scheme": "v2",
            "url": url,
            "nonce": it.headers["x-plivo-signature-v2-nonce"],
            "token": key,
            "signature": it.headers[f"x-plivo-signature-{name}v2"],
        }


async def test_official_validators_accept_every_callback(store: Store) -> None:
    """Every event, by POST and by GET, with a port, a query and a fragment in the URL; nothing else is accepted."""

    async def test(live: Live) -> None:
        token = live.world.account.token.reveal()
        for index, method in enumerate(CallbackMethod):
            url = live.receiver.url(f"/cb/{method.value}?tenant=7&name=a%20b#rt=3000")
            session = live.world.create(
                2 * index + 1,
                2 * index + 2,
                callback_url=url,
                callback_method=method,
                recording_callback_url=url,
                recording_callback_method=method,
            )
            for kind, facts in EVENTS:
                live.report(session, kind, **facts)
        received = await live.until(2 * len(EVENTS))
        questions = []
        told: dict[str, set[str]] = {"GET": set(), "POST": set()}
        for it in received:
            url = live.receiver.url(it.target)
            assert all(python_accepts(it, url, token, token))
            assert not any(python_accepts(it, url, "x" * 40, "x" * 40))
            assert not any(python_accepts(it, url.replace("/cb/", "/other/"), token, token))
            questions += list(node_cases(it, url, token, token))
            pairs = parse_qsl(it.body or it.target.partition("?")[2], keep_blank_values=True)
            fields = dict(pairs)
            names = [name for name, _ in pairs if name not in ("tenant", "name")]
            assert names == (RECORDING_NAMES if "Recording" in fields["EventName"] else SESSION_NAMES)
            told[it.method].add(fields["EventName"])
            if it.method == "POST":
                assert it.headers["content-type"] == "application/x-www-form-urlencoded"
            assert it.target.startswith(f"/cb/{it.method}?tenant=7&name=a%20b")
        assert told == {"GET": set(EVENT_NAMES), "POST": set(EVENT_NAMES)}
        assert check_with_node(questions) == [True] * len(questions)
        forged = [{**it, "token": "x" * 40} for it in questions[:8]]
        assert check_with_node(forged) == [False] * len(forged)

    await with_live(store, test)


async def test_a_subaccounts_callback_is_signed_with_both_tokens(store: Store) -> None:
    """Its own under the plain names, its account's under those with Ma."""

    async def test(live: Live) -> None:
        world = live.world
        sub = store.run(create_subaccount, world.account, "branch", SystemClock().now())
        assert isinstance(sub, Subaccount)
        poke(store, "UPDATE number_lease SET subaccount_id = ?", sub.id)
        session = world.create(callback_url=live.receiver.url("/cb"), subaccount_id=sub.id)
        live.report(session, EventKind.SESSION_EXPIRED)
        [it] = await live.until(1)
        url = live.receiver.url(it.target)
        own, main = sub.token.reveal(), world.account.token.reveal()
        assert all(python_accepts(it, url, own, main))
        assert not any(python_accepts(it, url, main, own))
        assert check_with_node(list(node_cases(it, url, own, main))) == [True] * 4

    await with_live(store, test)
