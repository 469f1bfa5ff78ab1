"""The document for machines says what is answered."""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import pytest
from tests.api.deepcall.conftest import M1, M2, DeepCallTenant, Services

from maskline.api.deepcall.kernel import DeepCallSettings
from maskline.api.deepcall.schema import describe
from maskline.core.deepcall import SuccessShape

PATHS = ("/api/v2/Masking/set", "/api/v2/Masking/unset", "/api/v2/callreport/masklist")


def check(deepcall: DeepCallTenant, document: Any, path: str, fields: Mapping[str, object]) -> str:
    """Send what the document allows; return the status of an answer that it allows too."""
    operation = document["paths"][path]["post"]
    body = {"ssid": deepcall.ssid, **fields}
    request = operation["requestBody"]["content"]["application/json"]["schema"]
    assert jsonschema_rs.is_valid(request, body), body
    answer = deepcall.send(path.removeprefix("/api/v2/"), body)
    described = operation["responses"][str(answer.status)]["content"]["application/json"]["schema"]
    jsonschema_rs.validate(described, answer.body)
    status: str = answer.body["status"]
    return status


@pytest.mark.parametrize("shape", list(SuccessShape))
@pytest.mark.parametrize("has_error_statuses", [False, True])
def test_answers_are_as_described(services: Services, shape: SuccessShape, has_error_statuses: bool) -> None:
    """Under every setting that shapes them."""
    deepcall = services.tenant(success_shape=shape, has_error_statuses=has_error_statuses)
    document = deepcall.service.request("GET", "/docs/deepcall.json").body
    set_, unset, masklist = PATHS
    for path, fields, status in (
        (set_, {"m1": M1, "m2": int(M2), "eventId": "e", "expiry_duration": "5"}, "success"),
        (set_, {"m1": M1, "m2": M2}, "error"),
        (set_, {"m1": M1, "m2": M1}, "error"),
        (masklist, {"m1": M1, "status": "active", "page": 1, "limit": 20}, "success"),
        (masklist, {"start_time": "x"}, "error"),
        (unset, {"m1": M1, "m2": M2, "expiry_duration": 9}, "success"),
        (unset, {"mask": "5" * 12}, "error"),
        (unset, {"m1": M1}, "success"),
    ):
        assert check(deepcall, document, path, fields) == status


def test_the_document_names_every_operation_once() -> None:
    """Those of other modules are added by whoever describes them."""
    settings = DeepCallSettings(public_url="http://m")
    other: dict[str, Any] = {"/clickToCall/v1/para": {"post": {}}}
    assert set(describe(settings)["paths"]) == set(PATHS)
    assert set(describe(settings, other)["paths"]) == {*PATHS, *other}


def test_errors_are_200_unless_set_otherwise() -> None:
    """Then each has the status of its kind."""
    operation = describe(DeepCallSettings(public_url="http://m"))["paths"][PATHS[0]]["post"]
    assert set(operation["responses"]) == {"200"}
    with_statuses = DeepCallSettings(public_url="http://m", has_error_statuses=True)
    operation = describe(with_statuses)["paths"][PATHS[0]]["post"]
    assert set(operation["responses"]) == {"200", "400", "401", "403", "409", "500", "503"}
