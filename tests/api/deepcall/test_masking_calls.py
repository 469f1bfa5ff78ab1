"""What calls to a mask come to, and what happens to requests at one moment."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.api.deepcall.conftest import M1, M2, DeepCallTenant
from tests.api.service import WAIT_S

from maskline.api import body
from maskline.core.numbers import E164
from maskline.core.routing import Connect, Refuse, RouteDecision, decide_route
from maskline.workflows.route_call import route_call

TOGETHER = 8


def dial(deepcall: DeepCallTenant, caller: str, mask: str) -> RouteDecision:
    """What becomes of a call that reaches us now."""
    now = deepcall.service.clock.now()
    facts = deepcall.service.run(route_call, f"+{mask}", E164(f"+91{caller}"), now)
    return decide_route(facts, E164(f"+91{caller}"), now)


def test_either_party_reaches_the_other(deepcall: DeepCallTenant) -> None:
    """And is shown the mask; nobody does once it was unset."""
    mask = deepcall.set()["mask"]
    for caller, callee in ((M1, M2), (M2, M1)):
        route = dial(deepcall, caller, mask)
        assert isinstance(route, Connect)
        assert (route.callee, route.presented) == (E164(f"+91{callee}"), f"+{mask}")
    deepcall.call("Masking/unset", m1=M1, m2=M2)
    for caller in (M1, M2):
        assert isinstance(dial(deepcall, caller, mask), Refuse)


def test_a_moved_end_holds_for_calls(deepcall: DeepCallTenant) -> None:
    """What is admitted knows how long the mask lasts."""
    mask = deepcall.set()["mask"]
    deepcall.call("Masking/unset", mask=mask, expiry_duration=3)
    route = dial(deepcall, M1, mask)
    assert isinstance(route, Connect)
    assert route.ends_at == deepcall.service.clock.now() + 3 * 60_000_000


def test_one_of_many_at_one_moment_gets_the_mask(deepcall: DeepCallTenant) -> None:
    """Whoever is named first: the others are told that there is one."""
    pairs = [(M1, M2), (M2, M1)] * (TOGETHER // 2)
    with ThreadPoolExecutor(TOGETHER) as pool:
        answers = list(pool.map(lambda pair: deepcall.call("Masking/set", m1=pair[0], m2=pair[1]), pairs))
    assert sorted(it.body["code"] for it in answers) == [200] + [1503] * (TOGETHER - 1)


def test_one_of_many_at_one_moment_ends_the_mask(deepcall: DeepCallTenant) -> None:
    """The others find none."""
    deepcall.set()
    with ThreadPoolExecutor(TOGETHER) as pool:
        answers = list(pool.map(lambda _: deepcall.call("Masking/unset", m1=M1), range(TOGETHER)))
    assert sorted(it.body["code"] for it in answers) == [200] + [1000] * (TOGETHER - 1)


def test_a_body_too_slow_is_1047(deepcall: DeepCallTenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the connection is closed."""
    monkeypatch.setattr(body, "BODY_READ_TIMEOUT_S", 0.05)
    received = b""
    with socket.create_connection(("127.0.0.1", deepcall.service.port), WAIT_S) as connection:
        connection.sendall(
            b'POST /api/v2/Masking/set HTTP/1.1\r\nHost: m\r\nContent-Length: 100\r\n\r\n{"m1"'
        )
        while chunk := connection.recv(65_536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.endswith(b'{"status":"error","message":"Body is empty or malformed","code":1047}')
