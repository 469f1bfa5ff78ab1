"""Requests and answers of the native API as the transport sends and reads them: pure."""

import json
import platform
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from importlib.metadata import version
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from maskline.client.errors import AnswerUnreadableError, ProblemError, build_problem
from maskline.client.retries import parse_retry_after

M = TypeVar("M", bound=BaseModel)

PREFIX: Final = "/maskline/v1"
USER_AGENT: Final = f"maskline-client/{version('maskline')} python/{platform.python_version()}"
KEY_HEADER: Final = "Idempotency-Key"
ACCOUNT_HEADER: Final = "Maskline-Account"
_PROBLEM: Final = "application/problem+json"

Query = Mapping[str, object]
"""Names and values of a query; what is None is left out."""


def check_server(server: str) -> str:
    """The URL of a service without the slash at its end. Raises ValueError, which does not quote it."""
    parts = urlsplit(server)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("a server is given as http://HOST[:PORT] or https://HOST[:PORT]")
    if parts.username is not None or parts.password is not None:
        raise ValueError("credentials do not belong into the URL of a server")
    return server.rstrip("/")


def build_path(*parts: str) -> str:
    """A path below the prefix; every part is one segment, whatever characters it has."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def build_query(query: Query | None) -> httpx.QueryParams:
    """What a query says, as text; lists are joined with commas."""
    return httpx.QueryParams({name: _text(it) for name, it in (query or {}).items() if it is not None})


def build_body(model: BaseModel | None) -> bytes | None:
    """A body as JSON, with what was given and nothing else."""
    if model is None:
        return None
    return model.model_dump_json(exclude_unset=True, by_alias=True).encode()


def model_query(model: BaseModel | None) -> dict[str, object]:
    """The query that a model of one describes: what was given and nothing else."""
    return {} if model is None else model.model_dump(mode="json", exclude_unset=True, by_alias=True)


def read_answer(response: httpx.Response, model: type[M]) -> M:
    """What a successful answer has. Raises AnswerUnreadableError."""
    try:
        return model.model_validate_json(response.content)
    except ValidationError:
        raise AnswerUnreadableError(response.status_code) from None


def read_refusal(response: httpx.Response, now: datetime) -> ProblemError | None:
    """The problem that an answer has, if it has one."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _PROBLEM:
        return None
    try:
        members: Any = json.loads(response.content)
    except ValueError:
        return None
    if not isinstance(members, dict):
        return None
    asked_s = parse_retry_after(response.headers.get("retry-after"), now)
    return build_problem(response.status_code, members, asked_s)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(_text(it) for it in value)
    return str(value)
