"""The table of the DeepCall dialect is complete, and every row has a test that exists or a named doubt."""

from typing import Any, Final

import pytest

from maskline.api.deepcall.answers import HEADERS
from maskline.api.deepcall.click_schema import describe_clicks
from maskline.api.deepcall.errors import MESSAGES, STATUSES, Code
from maskline.api.deepcall.kernel import DeepCallSettings
from maskline.api.deepcall.schema import describe
from maskline.config import Settings
from tests.docs.held_rows import held_names, loose_rows, missing_tests, read_sections
from tests.tidy.tree import ROOT

PAGE: Final = ROOT / "docs" / "api" / "deepcall-conformance.md"
GUIDE: Final = ROOT / "docs" / "api" / "deepcall.md"
OURS: Final = ("/api/v2/Masking/set", "/api/v2/Masking/unset", "/api/v2/callreport/masklist")


def operations() -> list[Any]:
    paths = describe(DeepCallSettings(public_url="http://m"))["paths"]
    return [paths[path]["post"] for path in OURS]


def request_fields() -> set[str]:
    return {
        name
        for operation in operations()
        for name in operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
    }


def names_in(schema: Any) -> set[str]:
    """Every property below a schema."""
    if isinstance(schema, list):
        return set().union(*map(names_in, schema))
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("properties", {})).union(*map(names_in, schema.values()))


def answer_fields() -> set[str]:
    return set().union(*(names_in(operation["responses"]) for operation in operations()))


def click_names() -> set[str]:
    """Its paths, parameters, and fields of answers."""
    items = describe_clicks(DeepCallSettings(public_url="http://m"))
    parameters = {it["name"] for item in items.values() for it in item["get"]["parameters"]}
    return {*items, *parameters, "callId", "mask"}


KNOWN: Final = {
    "Error codes": {str(int(code)) for code in Code},
    "The published answer": {*HEADERS, "ETag", "Content-Type", "Content-Length"},
    "Fields of requests": request_fields(),
    "Fields of answers": answer_fields() - {"properties"},
    "Click to call": click_names(),
    "Settings": {name for name in Settings.model_fields if name.startswith("deepcall_")},
}


@pytest.mark.parametrize("title", KNOWN)
def test_every_name_has_a_row(title: str) -> None:
    """What the code takes, answers and is set by is in the table, held by a test."""
    assert len(KNOWN[title]) >= 5
    assert KNOWN[title] - held_names(PAGE, title) == set()


def test_every_row_is_held() -> None:
    """Each row ends with the tests that hold it, and nothing else, or with a doubt that says something."""
    assert loose_rows(PAGE) == []
    assert sum(map(len, read_sections(PAGE).values())) > 100


def test_every_named_test_exists() -> None:
    """A test that was renamed or removed is missed here."""
    assert missing_tests(PAGE) == []


def test_rows_of_a_section_differ() -> None:
    """Nothing is said twice."""
    for title, rows in read_sections(PAGE).items():
        firsts = [first for first, *_ in rows]
        assert sorted(firsts) == sorted(set(firsts)), title


@pytest.mark.parametrize("code", Code)
def test_the_guide_has_every_code_as_it_is_answered(code: Code) -> None:
    """With its text and its status."""
    [row] = [row for row in read_sections(GUIDE)["Errors"] if row[0] == str(int(code))]
    shown = f"{MESSAGES[code]}: ..." if code is Code.INVALID else MESSAGES[code]
    assert (row[1], row[3]) == (f"`{shown}`", str(STATUSES[code]))


def test_the_guide_names_every_field_setting_and_header() -> None:
    """So that nobody has to read code."""
    text = GUIDE.read_text()
    names = request_fields() | answer_fields() | KNOWN["Settings"] | set(HEADERS)
    assert [name for name in sorted(names - {"properties"}) if f"`{name}`" not in text] == []
