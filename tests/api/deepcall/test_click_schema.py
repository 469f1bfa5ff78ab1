from typing import Any

import jsonschema_rs
import pytest
from tests.api.deepcall.conftest import M1, M2, Services
from tests.api.deepcall.test_click_to_call import V1, V2, V3, click

from maskline.api.deepcall.click_schema import describe_clicks
from maskline.api.deepcall.kernel import DeepCallSettings

SETTINGS = DeepCallSettings(public_url="http://m")
BY_PATH: dict[str, dict[str, Any]] = {
    V1: {"from": M1, "to": M2},
    V2: {"from": M1, "to": M2},
    V3: {"agent_number": M1, "customer": M2},
}


def test_every_path_is_described() -> None:
    """By both methods, under names of their own."""
    found = describe_clicks(SETTINGS)
    assert list(found) == [V1, V2, V3]
    operations = [operation for item in found.values() for operation in item.values()]
    assert len({operation["operationId"] for operation in operations}) == 6


@pytest.mark.parametrize("path", BY_PATH)
@pytest.mark.parametrize(
    "changed", [{}, {"fromRingTime": 20, "eventId": "e"}, {"expiry_duration": -1}], ids=str
)
def test_answers_are_as_described(services: Services, path: str, changed: dict[str, Any]) -> None:
    """What the document allows is answered as it says, whether it is done or refused."""
    deepcall = services.tenant()
    fields = BY_PATH[path] | changed
    operation = describe_clicks(SETTINGS)[path]["post"]
    body = {"user_id": deepcall.user_id, "token": deepcall.token, **fields}
    assert jsonschema_rs.is_valid(operation["requestBody"]["content"]["application/json"]["schema"], body)
    told = click(deepcall, path, form="json", **fields)
    jsonschema_rs.validate(operation["responses"]["200"]["content"]["application/json"]["schema"], told)


@pytest.mark.parametrize("path", BY_PATH)
def test_required_parameters_are_required(services: Services, path: str) -> None:
    """Without any one of them nobody is called; the others can be left out."""
    deepcall = services.tenant()
    required = [it["name"] for it in describe_clicks(SETTINGS)[path]["get"]["parameters"] if it["required"]]
    assert required == list(BY_PATH[path])
    for name in required:
        given = {field: value for field, value in BY_PATH[path].items() if field != name}
        assert click(deepcall, path, method="GET", **given)["code"] == 1000
