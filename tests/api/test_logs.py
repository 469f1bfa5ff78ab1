"""No log line of the HTTP side carries a number, a PIN or a token."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog
from tests.api.deepcall.conftest import give_credentials
from tests.api.service import PAIR, Tenant

from maskline.api.deepcall import masking
from maskline.observability import configure_logging

FIRST, SECOND = "912025557001", "912025557002"
PIN = "483920"


class Log(io.StringIO):
    """What was logged; none of `secrets` may be in it in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets = [FIRST, SECOND, FIRST[2:], SECOND[2:], PIN]


@pytest.fixture
def logged() -> Iterator[Log]:
    """Everything any logger says at the finest level, as it would be written."""
    root = logging.getLogger()
    handlers, level, uvicorn_level = root.handlers[:], root.level, logging.getLogger("uvicorn").level
    stream = Log()
    writer = configure_logging(level="debug", is_json=True, stream=stream)
    logging.getLogger("uvicorn").setLevel(logging.DEBUG)
    logging.getLogger("test").debug("log.works")
    yield stream
    writer.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("uvicorn").setLevel(uvicorn_level)
    structlog.reset_defaults()
    text = stream.getvalue()
    assert "log.works" in text
    for secret in stream.secrets:
        assert secret not in text


def test_every_operation_and_refusal(logged: Log, tenant: Tenant) -> None:
    """Numbers in bodies, queries and paths; accepted and refused."""
    parties = {"first_party": f"+{FIRST}", "second_party": f"+{SECOND}"}
    created = tenant.create(
        **parties, is_pin_authentication_required=True, first_party_pin=PIN, second_party_pin=PIN[::-1]
    )
    path = f"/Masking/Session/{created['session_uuid']}/"
    assert tenant.request("GET", path).status == 200
    assert (
        tenant.request("GET", f"/Masking/Session/?first_party=%2B{FIRST}&second_party={SECOND}").status == 200
    )
    assert tenant.request("GET", f"/Masking/Session/?first_party={FIRST}{FIRST}{FIRST}").status == 400
    assert tenant.request("GET", f"/Masking/Session/{FIRST}/").status == 404
    assert tenant.request("PUT", f"/{FIRST}/?to={SECOND}", parties).status == 404
    assert tenant.request("POST", "/Session/", PAIR | {"second_party": FIRST, "record": SECOND}).status == 400
    assert tenant.request("DELETE", path).status == 200
    assert tenant.service.request("GET", f"/v1/Account/{FIRST}/Masking/Session/").status == 401
    assert tenant.token not in logged.getvalue()


def test_every_operation_and_refusal_of_deepcall(
    logged: Log, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials and numbers in bodies, forms and queries; accepted, refused, and where the service fails."""
    deepcall = give_credentials(tenant)
    logged.secrets += [deepcall.ssid, deepcall.token]
    parties = {"m1": FIRST, "m2": int(SECOND), "eventId": PIN}
    user = f"userId={deepcall.user_id}&token={deepcall.token}"
    for path in ("Masking/set", "callreport/masklist", "Masking/unset"):
        assert deepcall.call(path, **parties).body["code"] == 200
        assert deepcall.send(path, f"{user}&m1={FIRST}".encode()).body["code"] in (200, 1000)
        assert deepcall.send(path, parties, query=f"?ssid={deepcall.ssid}").body["code"] in (200, 1000, 1503)
        assert deepcall.send(path, {"ssid": deepcall.ssid[:-1]}).body["code"] == 1014
        assert deepcall.send(path, b"{" + deepcall.ssid.encode()).body["code"] == 1047
        assert deepcall.send(path, method="GET", query=f"?{user}&m1={FIRST}").status == 404
    for path in (f"Masking/{deepcall.ssid}", f"Masking/set/{FIRST}/{deepcall.token}"):
        assert deepcall.call(path).status == 404

    def fail(*_args: object) -> str:
        raise RuntimeError(FIRST)

    monkeypatch.setattr(masking, "render_time", fail)
    assert deepcall.call("Masking/set", **parties).body["code"] == 1009
