"""What the service prints when it is up."""

import json
import re
from typing import cast

import pytest

from maskline.banner import render_banner
from maskline.core.deepcall import DeepCallUser
from maskline.core.inventory import Account, AllocationPolicy, CooloffScope
from maskline.core.numbers import DID
from maskline.core.secret import Secret
from maskline.engine.switch import Switch
from maskline.engine.trunk_watch import TrunkWatch
from maskline.parts import Service
from maskline.testing.relay import FakeRelay

ACCOUNT = Account(
    id=1,
    auth_id="MA00000000000000DEMO",
    name="demo",
    country="IN",
    timezone="Asia/Kolkata",
    token=Secret("only-for-this-machine"),
    policy=AllocationPolicy.FIRST_FIT,
    cooloff_scope=CooloffScope.PARTY,
    created_at=0,
)


def make_service(host: str) -> Service:
    """Running at `host`; the banner looks at neither switch nor watch."""
    return Service(
        switch=cast("Switch", None),
        watch=cast("TrunkWatch", None),
        relay=FakeRelay(),
        http_address=(host, 8080),
        sip_address=(host, 5060),
    )


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_service_says_where_it_is(host: str, shown: str) -> None:
    """In one line, and with addresses that can be typed as they stand."""
    assert render_banner(make_service(host)) == f"Maskline   http://{shown}:8080   SIP {shown}:5060"


def test_sandbox_says_what_to_type() -> None:
    """Credentials, numbers, where phones register, and a request; only there is a token ever printed."""
    service = make_service("::1")
    service.account, service.numbers = ACCOUNT, (DID("+912249370001"), DID("+912249370002"))
    assert "only-for-this-machine" not in render_banner(service)
    service.sandbox_address = ("127.0.0.1", 5070)
    told = render_banner(service)
    assert f"curl -u {ACCOUNT.auth_id}:only-for-this-machine " in told
    assert f"http://[::1]:8080/v1/Account/{ACCOUNT.auth_id}/Masking/Session/" in told
    assert "+912249370001 +912249370002" in told
    assert "register at 127.0.0.1:5070" in told
    assert "DeepCall" not in told


def test_sandbox_says_how_deepcall_clients_come_in() -> None:
    """Their credentials, and a request that works as it is typed."""
    service = make_service("127.0.0.1")
    service.account, service.numbers = ACCOUNT, (DID("+912249370001"),)
    service.deepcall_user = DeepCallUser(
        account_id=1, user_id="12345678", token=Secret("deep-token"), old_token=None, old_token_until=None
    )
    assert "deep-token" not in render_banner(service)
    service.sandbox_address = ("127.0.0.1", 5070)
    told = render_banner(service)
    assert "userId 12345678\n              token deep-token\n" in told
    found = re.search(r"curl -d '(.*)' \\\n    http://127.0.0.1:8080/api/v2/Masking/set\n", told)
    assert found
    assert json.loads(found[1]) == {
        "userId": "12345678",
        "token": "deep-token",
        "m1": 9812300001,
        "m2": 9812300002,
    }
