"""The service as its user meets it: command line, HTTP and a call, on each database."""

import base64
import json
import urllib.request
from dataclasses import replace
from typing import Any

import pytest

from maskline.core.numbers import DID
from tests.interop.ground import HTTP_PORT, Ground
from tests.interop.listener import Listener, render_request
from tests.interop.stage import Stage
from tests.interop.waiting import wait_for

pytestmark = pytest.mark.sipp

NUMBER = "+912269479990"


def send(
    ground: Ground, account: dict[str, object], method: str, path: str, body: dict[str, object] | None
) -> Any:
    """Send a request as the account; return the body of the answer."""
    pair = f"{account['auth_id']}:{account['auth_token']}".encode()
    request = urllib.request.Request(
        f"http://{ground.address[0]}:{HTTP_PORT}/v1/Account/{account['auth_id']}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": "Basic " + base64.b64encode(pair).decode(),
            "Content-Type": "application/json",
        },
        method=method,
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=5) as response:
        return json.load(response)


def test_masked_call_is_put_through_and_recorded(stage: Stage) -> None:
    """A call between the parties of a session reaches the other, tells nothing, and leaves one record."""
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers")
    uac = stage.uac("uac_hangs_up").wait()
    uas.wait()
    stage.check_masked(uac, uas)
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("success", "caller-hung-up")]
    assert stage.ground.live_call_count() == 0
    assert stage.ground.errors_in_logs() == []


def test_commands_take_effect_while_the_service_runs(stage: Stage) -> None:
    """An account, a trunk and a number made by commands serve the next session over HTTP, and its call."""
    ground, carrier = stage.ground, stage.carrier
    peer, newcomer = f"{ground.block}.200.212", f"{ground.block}.200.111"
    account = ground.run_command("account", "create", "Latecomer")
    # sipp, which plays one call, would take a health check for it.
    late = ("--peer", f"{peer}:5060", "--accept", f"{newcomer}/32", "--no-health-check")
    ground.run_command("trunk", "add", "late", *late)
    ground.run_command("number", "add", NUMBER, "--account", "Latecomer", "--trunk", "late")
    created = send(
        ground,
        account,
        "POST",
        "Masking/Session/",
        {"first_party": carrier.a.number, "second_party": carrier.b.number},
    )
    assert created["virtual_number"].lstrip("+") == NUMBER[1:]
    stage.carrier = replace(carrier, numbers=(DID(NUMBER),), peer=(peer, 5060))
    with stage.listener((newcomer, 5070)) as prober:
        wait_for(lambda: is_trusted(prober), 3.0, "the switch knows the new trunk")
    uas = stage.uas("uas_answers")
    uac = stage.uac("uac_hangs_up", dialled=NUMBER, local=(newcomer, 5060)).wait()
    uas.wait()
    stage.check_masked(uac, uas)
    assert ground.wait_for_records(NUMBER) == [("success", "caller-hung-up")]
    found = send(ground, account, "GET", f"Masking/Session/{created['session_uuid']}/", None)
    assert len(found["response"]["interaction"]) == 1


def is_trusted(prober: Listener) -> bool:
    """Whether a health check from this address is answered."""
    prober.send(render_request("OPTIONS", prober.address, prober.peer))
    return bool(prober.wait_for(1, 0.2))
