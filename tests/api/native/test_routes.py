import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from maskline.api.native.errors import NativeError
from maskline.api.native.models.common import ID_LENGTH_MAX, NAME_LENGTH_MAX, ListQuery
from maskline.api.native.models.pools import NewPool
from maskline.api.native.routes import Asked
from maskline.core.access import Caller

NOBODY = Caller(account=None, is_operator=True, permissions=frozenset(), owner="operator")


def _asked(part: str = "x", query: bytes = b"", body: bytes = b"") -> Asked:
    scope = {
        "type": "http",
        "headers": [],
        "query_string": query,
        "path_params": {"id": part, "name": part},
    }
    return Asked(request=Request(scope), caller=NOBODY, body=body)


@given(st.text(max_size=NAME_LENGTH_MAX + 9))
def test_parts_of_a_path_are_such_as_databases_take(part: str) -> None:
    """What no id or name can be is not looked for."""
    for read, length_max in ((Asked.path, ID_LENGTH_MAX), (Asked.name, NAME_LENGTH_MAX)):
        if part.isprintable() and 0 < len(part) <= length_max and (read is Asked.name or part.isascii()):
            assert read(_asked(part)) == part
        else:
            with pytest.raises(NativeError, match="not-found"):
                read(_asked(part))


def test_body_and_query_are_read_by_their_models() -> None:
    """Or refused."""
    asked = _asked(query=b"limit=5", body=b'{"name": "blue"}')
    assert asked.query(ListQuery).limit == 5
    assert asked.read(NewPool).name == "blue"
    with pytest.raises(NativeError, match="invalid"):
        _asked(query=b"limit=5&limit=6").query(ListQuery)
