"""Matching of server transactions, and where answers go."""

import pytest
from tests.sip.test_dialog import TCP, UDP, invite
from tests.sip.test_transaction import Bench

from maskline.sip.events import Flow
from maskline.sip.headers import parse_via
from maskline.sip.message import Headers, Request
from maskline.sip.transaction_server import merge_key, reply_flow, server_key
from maskline.sip.transaction_tables import Input, State


def like(request: Request, method: str | None = None, **changed: str) -> Request:
    """The same request with other header values or as another method."""
    method = method or request.method
    items = [
        (name, changed.get(name.replace("-", "_").lower(), value)) for name, value in request.headers.items
    ]
    items = [(name, f"7 {method}" if name == "CSeq" else value) for name, value in items]
    return Request(method, request.uri, Headers(items))


def test_branch_sent_by_and_method_make_the_key() -> None:
    """Another branch, sent-by or method is another transaction; tags and routes do not matter (17.2.3)."""
    one = server_key(invite(), "INVITE")
    assert server_key(like(invite(), to="<sip:us@192.0.2.1>;tag=x"), "INVITE") == one
    assert server_key(like(invite(), via="SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKy"), "INVITE") != one
    assert server_key(like(invite(), via="SIP/2.0/UDP 192.0.2.8;branch=z9hG4bKx"), "INVITE") != one
    assert server_key(like(invite(), via="SIP/2.0/UDP 192.0.2.7:99;branch=z9hG4bKx"), "INVITE") != one
    assert server_key(invite(), "BYE") != one


@pytest.mark.parametrize(
    "via", ["SIP/2.0/UDP 192.0.2.7", "SIP/2.0/UDP 192.0.2.7;branch=1", "SIP/2.0/UDP h;branch=z9hG4bK"]
)
def test_peers_of_rfc_2543(via: str) -> None:
    """Without a branch of RFC 3261 the other fields are the key; the To tag of an ACK is not among them."""
    old = like(invite(), via=via)
    assert server_key(like(old, "ACK", to="<sip:us@192.0.2.1>;tag=x"), "INVITE") == server_key(old, "INVITE")
    assert server_key(like(old, call_id="other"), "INVITE") != server_key(old, "INVITE")
    assert server_key(like(old, via=via + ";received=1.2.3.4"), "INVITE") == server_key(old, "INVITE")


def test_ack_and_cancel_find_their_invite() -> None:
    """Both have the branch of the INVITE they are about."""
    bench = Bench()
    transaction = bench.store.start(invite(), UDP)
    assert bench.store.find(like(invite(), "ACK")) is transaction
    assert bench.store.find(like(invite(), "CANCEL")) is None
    assert bench.store.find_cancelled(like(invite(), "CANCEL")) is transaction


def test_merged_requests_are_found_while_the_first_lives() -> None:
    """A copy on another path is known by Call-ID, From tag and number, until the first is gone (8.2.2.2)."""
    bench = Bench()
    first = bench.store.start(invite(), UDP)
    copy = like(invite(), via="SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKcopy")
    assert merge_key(copy) == merge_key(invite())
    assert bench.store.find_merged(merge_key(copy)) is first
    second = bench.store.start(copy, UDP)
    assert bench.store.find_merged(merge_key(copy)) is first
    bench.answer(second, 482)
    bench.run(32.0)
    assert bench.store.find_merged(merge_key(copy)) is first
    bench.answer(first, 486)
    bench.run(100.0)
    assert bench.store.find_merged(merge_key(copy)) is None


def test_dropped_invite_is_silent() -> None:
    """A dropped INVITE counts as answered, replays nothing and ends."""
    bench = Bench()
    transaction = bench.store.start(invite(), UDP)
    bench.store.drop(transaction, 0.0)
    assert transaction.is_answered
    bench.store.step(transaction, Input.REQUEST, None, 0.0)
    assert transaction.state is State.SILENT
    bench.run(32.0)
    assert bench.sent == []
    assert transaction.is_terminated


def test_an_answered_transaction_keeps_bytes_only() -> None:
    """After the final answer nothing of the request is kept but what is sent again."""
    bench = Bench()
    transaction = bench.store.start(invite(), UDP)
    assert not transaction.is_answered
    bench.answer(transaction, 180)
    assert not transaction.is_answered
    bench.answer(transaction, 200)
    assert transaction.is_answered
    assert transaction.status == 200
    assert transaction.data.startswith(b"SIP/2.0 200 OK")


@pytest.mark.parametrize(
    ("via", "flow", "port"),
    [
        ("SIP/2.0/UDP h:5070;rport", UDP, 5060),
        ("SIP/2.0/UDP h:5070;rport=9", UDP, 5060),
        ("SIP/2.0/UDP h:5070", UDP, 5070),
        ("SIP/2.0/UDP h", UDP._replace(remote=("192.0.2.7", 9)), 5060),
        ("SIP/2.0/TCP h:5070", TCP, 40_000),
    ],
)
def test_reply_flow(via: str, flow: Flow, port: int) -> None:
    """rport and connections go back to the source port, others to the Via's."""
    assert reply_flow(parse_via(via), flow).remote == ("192.0.2.7", port)
