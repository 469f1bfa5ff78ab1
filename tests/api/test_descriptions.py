"""The documents of the dialects, and the page that shows them to people."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.api.service import Service

from maskline.api.descriptions import document_path, render_page

DIALECTS = ("plivo", "deepcall", "native")


class _Reader(HTMLParser):
    """What a browser makes of a page: its links, its texts, and tags left open."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.texts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if name in {"href", "src"} and value]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(html: str) -> _Reader:
    """Read a page; every tag is closed."""
    reader = _Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


def paths_of(service: Service, dialect: str) -> dict[str, dict[str, Any]]:
    """Paths of a document and what can be done there."""
    paths: dict[str, dict[str, Any]] = json.loads(service.request("GET", document_path(dialect)).text)[
        "paths"
    ]
    return paths


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_has_a_document(service: Service, dialect: str) -> None:
    """Each is OpenAPI and the same whenever it is asked for."""
    first, second = (service.request("GET", document_path(dialect)) for _ in range(2))
    assert first.status == 200
    assert first.headers["content-type"] == "application/json"
    assert json.loads(first.text)["openapi"].startswith("3.1")
    assert first.text == second.text


def test_page_names_every_operation(service: Service) -> None:
    """Whoever opens /docs finds every operation of every dialect, and the way to its document."""
    answer = service.request("GET", "/docs")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    page = read(answer.text.decode())
    assert page.links == [document_path(dialect) for dialect in DIALECTS]
    said = {text.replace("\xa0", " ") for text in page.texts}
    for dialect in DIALECTS:
        for path, methods in paths_of(service, dialect).items():
            for method in methods.keys() & {"get", "post", "patch", "delete"}:
                assert any(re.fullmatch(rf"{method.upper()} .*{re.escape(path)}", text) for text in said), (
                    path
                )


def test_page_needs_nothing_and_runs_nothing(service: Service) -> None:
    """No script, nothing from elsewhere: its policy forbids both."""
    answer = service.request("GET", "/docs")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert b"<script" not in answer.text
    assert b"://" not in answer.text


def test_texts_are_escaped() -> None:
    """What a document says is shown, never obeyed."""
    hostile = "<b onload=x>&"
    document = {
        "info": {"title": hostile},
        "servers": [{"url": "/v1/"}],
        "paths": {"/a": {"get": {"summary": hostile}, "parameters": []}, "/b": {"post": {}}},
    }
    page = read(render_page({"native": document}))
    assert page.texts.count(hostile) == 2
    assert {"GET\xa0/v1/a", "POST\xa0/v1/b"} <= set(page.texts)
