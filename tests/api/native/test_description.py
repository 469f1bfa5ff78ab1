"""The document that describes the interface to machines."""

import re
from typing import Any

from tests.api.native.test_kernel import ROUTES
from tests.api.service import Service

from maskline.api.native.description import describe
from maskline.api.native.errors import PROBLEMS
from maskline.api.native.kernel import DIALECT

DOCUMENT: dict[str, Any] = describe(list(ROUTES.values()), "/maskline/v1")


def _operations() -> list[dict[str, Any]]:
    return [operation for path in DOCUMENT["paths"].values() for operation in path.values()]


def test_it_is_served(service: Service) -> None:
    """Whole, and for the place where the interface is."""
    served = service.request("GET", "/docs/native.json").body
    assert served["paths"].keys() == DOCUMENT["paths"].keys()
    assert served["servers"] == [{"url": "/maskline/v1"}]
    assert DIALECT not in served["paths"]


def test_every_operation_is_described() -> None:
    """Under its name, with a sentence, its parameters, who may do it and what it answers."""
    assert {it["operationId"] for it in _operations()} == ROUTES.keys()
    for operation in _operations():
        route = ROUTES[operation["operationId"]]
        assert operation["summary"].endswith(".")
        assert (route.permission is None) == ("No permission" in operation["description"])
        assert {it["name"] for it in operation["parameters"] if it["in"] == "path"} == set(
            re.findall(r"\{(\w+)\}", route.path)
        )
        assert str(route.status) in operation["responses"]
        assert ("requestBody" in operation) == (route.request is not None)
        assert ("Idempotency-Key" in str(operation["parameters"])) == (route.method == "POST")


def test_every_reference_leads_somewhere() -> None:
    """Within the document."""
    references = set(re.findall(r"'\$ref': '([^']+)'", str(DOCUMENT)))
    names = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert references <= names


def test_every_problem_is_described_somewhere() -> None:
    """But for those that belong to no operation."""
    told = set(re.findall(r"`([a-z-]+)`", str([it["responses"] for it in _operations()])))
    assert PROBLEMS.keys() - told == {"method-not-allowed"}
