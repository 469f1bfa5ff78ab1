"""Whatever is sent, the answer is one of the dialect's: never a 5xx, never an echo."""

import json
from typing import Any, Final
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from tests.api.native.asking import Asker, holder
from tests.api.native.test_kernel import ROUTES
from tests.api.service import Service, Tenant

from maskline.api.native.errors import PROBLEMS
from maskline.api.native.routes import Route

_MARK: Final = "zebra crossing"  # what must not come back; no field has such a name
_MINE: Final = sorted(
    name
    for name, route in ROUTES.items()
    if route.path.split("/")[1]
    in {"account", "accounts", "subaccounts", "keys", "trunks", "numbers", "pools", "webhooks", "deliveries"}
)
_TEXTS: Final = st.sampled_from(
    [
        "",
        "*",
        "+912025550000",
        "+1",
        "MA" + "0" * 18,
        "SA" + "0" * 18,
        "IN",
        "192.0.2.1",
        "a.example",
        "\x00",
        "../..",
    ]
) | st.text(st.characters(codec="utf-8"), max_size=20).map(lambda it: it + _MARK)
_SCALARS: Final = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | _TEXTS
)
_JSON: Final = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)


def _fields(model: type[BaseModel] | None) -> st.SearchStrategy[dict[str, Any]]:
    names = [] if model is None else sorted(model.model_fields)
    known = st.dictionaries(st.sampled_from(names), _JSON, max_size=len(names)) if names else st.just({})
    return st.builds(lambda a, b: {**b, **a}, known, st.dictionaries(_TEXTS, _JSON, max_size=1))


@st.composite
def _requests(draw: st.DrawFn) -> tuple[Route, str, bytes | None, dict[str, str]]:
    route = ROUTES[draw(st.sampled_from(_MINE))]
    path = route.path
    while "{" in path:
        head, _, tail = path.partition("{")
        path = head + quote(draw(_TEXTS.filter(bool)), safe="") + tail.partition("}")[2]
    query = draw(_fields(route.query)) if draw(st.booleans()) else {}
    if query:
        path += "?" + "&".join(
            f"{quote(name, safe='')}={quote(str(value), safe='')}" for name, value in query.items()
        )
    body = None
    if route.method in ("POST", "PATCH"):
        body = (
            json.dumps(draw(_fields(route.request))).encode()
            if draw(st.booleans())
            else draw(st.binary(max_size=40))
        )
    headers = draw(
        st.dictionaries(
            st.sampled_from(["Maskline_Account", "Idempotency_Key", "Content_Type"]),
            st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30),
            max_size=2,
        )
    )
    return route, path, body, headers


def _check(asker: Asker, route: Route, path: str, body: bytes | None, headers: dict[str, str]) -> None:
    answer = asker.ask(route.method, path, body, **headers)
    assert answer.status < 500, (route.name, answer.text)
    if answer.status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.body
        assert PROBLEMS[problem["code"]].status == answer.status == problem["status"]
        assert _MARK.encode() not in answer.text
    elif answer.text:
        assert isinstance(answer.body, dict)
        assert "object" in answer.body


@pytest.mark.parametrize("kind", ["operator", "operator-acting", "account"])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=_requests())
def test_any_request_is_answered(
    service: Service, tenant: Tenant, kind: str, request: tuple[Route, str, bytes | None, dict[str, str]]
) -> None:
    """By those who may do most, so that everything behind the credentials is reached."""
    asker = {
        "operator": lambda: holder(service),
        "operator-acting": lambda: holder(service).acting_for(tenant.auth_id),
        "account": lambda: _account_holder(tenant),
    }[kind]()
    _check(asker, *request)


_HOLDERS: Final[dict[str, Asker]] = {}


def _account_holder(tenant: Tenant) -> Asker:
    if tenant.auth_id not in _HOLDERS:
        _HOLDERS[tenant.auth_id] = holder(tenant.service, account=tenant.account)
    return _HOLDERS[tenant.auth_id]
