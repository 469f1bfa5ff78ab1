"""Whatever is asked of click to call, the answer is one of the dialect's bodies, and no input is our fault."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.deepcall.conftest import M1, M2, DeepCallTenant, give_credentials
from tests.api.deepcall.test_click_to_call import V1, V2, V3
from tests.api.deepcall.test_fuzz import FUZZ, OURS, TEXTS, VALUES
from tests.api.service import WAIT_S, Service

FIELDS = (
    "from to fromType toType cli fromCLI toCLI fromRingTime toRingTime agent_number customer callFirst agentType "
    "customerCLI agentCLI eventId expiry_time expiry_duration token user_id"
)
NAMES = st.sampled_from(FIELDS.split(" "))
PATHS = st.sampled_from([V1, V2, V3])
PAIR = {"from": M1, "to": M2, "agent_number": M1, "customer": M2}


@pytest.fixture(scope="module")
def owner(service: Service) -> DeepCallTenant:
    return give_credentials(service.new_account(number_count=20))


@pytest.fixture(scope="module")
def connection(service: Service) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=WAIT_S)
    yield connection
    connection.close()


def check(connection: http.client.HTTPConnection) -> None:
    """The answer is a call that is owed, or a refusal that is the asker's to mend."""
    response = connection.getresponse()
    body = json.loads(response.read())
    assert response.status == 200
    if body["status"] == "success":
        assert list(body) == ["status", "message", "code", "callId", "mask"]
    else:
        assert list(body) == ["status", "message", "code"]
        assert body["code"] not in OURS


@FUZZ
@given(path=PATHS, fields=st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_json(
    connection: http.client.HTTPConnection, owner: DeepCallTenant, path: str, fields: dict[str, object]
) -> None:
    """Values of any kind, in a body."""
    whole = {"ssid": owner.ssid, **PAIR, **fields}
    connection.request("POST", path, json.dumps(whole).encode())
    check(connection)


@FUZZ
@given(path=PATHS, fields=st.dictionaries(NAMES, TEXTS, max_size=6))
def test_any_query(
    connection: http.client.HTTPConnection, owner: DeepCallTenant, path: str, fields: dict[str, str]
) -> None:
    """Texts of any kind, in a query."""
    query = urlencode({"ssid": owner.ssid, **PAIR, **fields}, errors="surrogatepass")
    connection.request("GET", f"{path}?{query}")
    check(connection)
