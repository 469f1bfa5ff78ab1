from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from maskline.client.errors import AnswerUnreadableError
from maskline.client.wire import (
    build_body,
    build_path,
    build_query,
    check_server,
    model_query,
    read_answer,
    read_refusal,
)
from maskline.core.masking import RecordFormat

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Thing(BaseModel):
    name: str = "x"
    size: int | None = None


@pytest.mark.parametrize(
    "server", ["http://localhost:8080", "https://maskline.example.com/", "http://[::1]:1"]
)
def test_a_server_is_a_url(server: str) -> None:
    """A slash at its end does not matter."""
    assert check_server(server) == server.rstrip("/")


@pytest.mark.parametrize(
    "server",
    ["maskline.example.com", "ftp://x", "https://", "https://a:secret@x", "https://x/?q", "https://x/#f"],
)
def test_anything_else_is_refused(server: str) -> None:
    """Without repeating it: there may be a secret in it."""
    with pytest.raises(ValueError) as caught:
        check_server(server)
    assert "secret" not in str(caught.value)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_a_part_of_a_path_is_one_segment(parts: list[str]) -> None:
    """Whatever it has: slashes, question marks and dots of others' ids lead nowhere else."""
    path = build_path(*parts)
    assert path.count("/") == len(parts)
    assert not set(path) & set("?# \n")


def test_a_query_is_text() -> None:
    """Values as the service reads them; None is left out."""
    query = build_query(
        {"a": 1, "b": True, "c": None, "d": RecordFormat.MP3, "e": ["x", "y"], "f": NOW, "g": "+91"}
    )
    assert dict(query) == {
        "a": "1",
        "b": "true",
        "d": "mp3",
        "e": "x,y",
        "f": "2026-11-22T00:00:00+00:00",
        "g": "+91",
    }


def test_only_what_was_given_is_sent() -> None:
    """A default is the service's, and null is something else than nothing."""
    assert build_body(Thing()) == b"{}"
    assert build_body(Thing(size=None)) == b'{"size":null}'
    assert build_body(None) is None
    assert model_query(Thing(name="y")) == {"name": "y"}
    assert model_query(None) == {}


def test_an_answer_that_is_none_of_ours_is_said_so() -> None:
    """With its status."""
    with pytest.raises(AnswerUnreadableError) as caught:
        read_answer(httpx.Response(200, text='{"name": 3}'), Thing)
    assert caught.value.status == 200


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("application/json", '{"code": "x"}'),
        ("application/problem+json", "{"),
        ("application/problem+json", "[]"),
        ("application/problem+json", '{"code": 3}'),
        ("", ""),
    ],
)
def test_a_refusal_of_another_form_is_none(kind: str, text: str) -> None:
    """Only problems of the native API are read."""
    assert read_refusal(httpx.Response(400, text=text, headers={"content-type": kind}), NOW) is None


def test_a_refusal_has_its_wait() -> None:
    """From the header of the answer."""
    response = httpx.Response(
        429,
        json={"code": "overloaded"},
        headers={"content-type": "application/problem+json; charset=utf-8", "retry-after": "3"},
    )
    problem = read_refusal(response, NOW)
    assert problem is not None
    assert (problem.code, problem.retry_after_s) == ("overloaded", 3.0)
