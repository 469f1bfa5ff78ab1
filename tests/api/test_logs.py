"""No log line of the HTTP side carries a number, a PIN or a token."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog
from tests.api.service import PAIR, Tenant

from maskline.observability import configure_logging

FIRST, SECOND = "912025557001", "912025557002"
PIN = "483920"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything any logger says at the finest level, as it would be written."""
    root = logging.getLogger()
    handlers, level, uvicorn_level = root.handlers[:], root.level, logging.getLogger("uvicorn").level
    stream = io.StringIO()
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
    for secret in (FIRST, SECOND, FIRST[2:], SECOND[2:], PIN):
        assert secret not in text


def test_every_operation_and_refusal(logged: io.StringIO, tenant: Tenant) -> None:
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
