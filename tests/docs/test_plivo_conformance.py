"""The table of the Plivo dialect is complete, and every row has a test that exists or a named doubt."""

import ast
import re
from dataclasses import replace
from functools import cache
from typing import Final

import pytest

from maskline.api.plivo import errors, listing, wire
from maskline.api.plivo.mapping import render_interaction, render_listed_session
from maskline.api.plivo.schema import describe
from maskline.api.plivo.schema_objects import OBJECTS
from maskline.core.events import EventKind
from maskline.webhooks.plivo import EVENT_NAMES, build_fields
from tests.api.plivo import test_mapping
from tests.api.plivo.test_replay import CLIENTS
from tests.docs.held_rows import held_names, loose_rows, missing_tests, read_sections
from tests.tidy.tree import ROOT, SOURCE, modules, parse
from tests.webhooks.builders import an_event, some_facts

PAGE: Final = ROOT / "docs" / "api" / "plivo-conformance.md"


def session_fields() -> set[str]:
    """Every key that a session can be shown with."""
    rendered = test_mapping.render(replace(test_mapping.SESSION, subaccount_auth_id="SA1"))
    return set(render_listed_session(rendered, auth_id="MA1"))


def interaction_fields() -> set[str]:
    return set(render_interaction(replace(test_mapping.INTERACTION, recording_id="ab" * 16), "http://m"))


def callback_fields() -> set[str]:
    return {
        name
        for kind in (EventKind.PARTY_ANSWERED, EventKind.RECORDING_COMPLETED)
        for name, _ in build_fields(an_event(kind), some_facts(), public_url="http://m")
    }


def list_filters() -> set[str]:
    axes = listing._CANONICAL.values()
    return {
        *listing._EXACT.values(),
        *axes,
        *(f"{it}__{way}" for it in axes for way in ("gt", "gte", "lt", "lte")),
    }


def described_filters(path: str) -> set[str]:
    operation = describe(has_recordings=True)["paths"][f"/Account/{{auth_id}}/{path}"]["get"]
    return {it["name"] for it in operation["parameters"] if it.get("in") == "query"}


def call_fields() -> set[str]:
    """Of a finished leg and of a running one."""
    finished, running = (set(it["properties"]) for it in OBJECTS["OneCall"]["anyOf"])
    return (finished | running) - {"api_id"}


SEED = {
    "first_party",
    "second_party",
    "session_expiry",
    "call_time_limit",
    "record",
    "record_file_format",
    "recording_callback_url",
    "recording_callback_method",
    "api_id",
    "session_uuid",
    "virtual_number",
    "message",
}
KNOWN: Final = {
    "The seed page": SEED,
    "Parameters of create": set(wire.FIELDS),
    "The session object": session_fields(),
    "Filters of the list": list_filters(),
    "The interaction object": interaction_fields(),
    "Update": set(wire.UPDATABLE) | {"first_party", "second_party"},
    "Events": set(EVENT_NAMES),
    "Fields of callbacks": callback_fields(),
    "The recording object": set(OBJECTS["Recording"]["properties"]),
    "Filters of recordings": described_filters("Recording"),
    "The call object": call_fields(),
    "Filters of calls": described_filters("Call"),
    "Official clients": {path.stem for path in CLIENTS} | {"python", "node"},
}
# Words in first cells that name no parameter, field or event of ours, by section.
OTHERS: Final = {
    "The seed page": {"POST /v1/Account/{auth_id}/Session"},
    "The session object": {"geomatch"},  # never shown, as the row says
    "Filters of the list": {"created_times", "expiry_times", "durations", "sub_account", "meta", "?"},
}


@pytest.mark.parametrize("title", KNOWN)
def test_every_name_has_a_row(title: str) -> None:
    """What the code takes, shows and tells is in the table, held by a test."""
    assert KNOWN[title] - held_names(PAGE, title) == set()


@pytest.mark.parametrize("title", KNOWN)
def test_no_row_names_something_unknown(title: str) -> None:
    """A name that the code does not know is there only as a doubt."""
    assert held_names(PAGE, title) - KNOWN[title] - OTHERS.get(title, set()) == set()


@cache
def refusals() -> dict[str, str]:
    """Every text that the dialect refuses with, as people see it and as an expression for what is filled in."""
    found = {value: re.escape(value) for name, value in vars(errors).items() if name.isupper()}
    for path in modules(SOURCE / "api" / "plivo"):
        for call in ast.walk(parse(path)):
            if not isinstance(call, ast.Call) or not ast.unparse(call.func).endswith("PlivoError"):
                continue
            match call.args[1:]:
                case [ast.Constant(value=str() as text), *_]:
                    found[text] = re.escape(text)
                case [ast.JoinedStr(values=parts), *_]:
                    texts = [it.value if isinstance(it, ast.Constant) else None for it in parts]
                    shown = "".join("..." if it is None else str(it) for it in texts)
                    found[shown] = "".join(".+" if it is None else re.escape(str(it)) for it in texts)
    return found


@pytest.mark.parametrize("text", refusals())
def test_every_refusal_has_a_row(text: str) -> None:
    """Each text stands in the table of errors, with `...` for what is filled in."""
    assert any(re.search(refusals()[text], name) for name in held_names(PAGE, "Errors"))


def test_every_row_is_held() -> None:
    """Each row ends with the tests that hold it, and nothing else, or with a doubt that says something."""
    assert loose_rows(PAGE) == []
    assert sum(map(len, read_sections(PAGE).values())) > 200


def test_every_named_test_exists() -> None:
    """A test that was renamed or removed is missed here."""
    assert missing_tests(PAGE) == []


def test_rows_of_a_section_differ() -> None:
    """Nothing is said twice."""
    for title, rows in read_sections(PAGE).items():
        firsts = [first for first, *_ in rows]
        assert sorted(firsts) == sorted(set(firsts)), title
