"""Schemathesis on a running service: requests that a document allows and requests it forbids, counted.

The requests go over a socket, as the document says they would. Parts of paths are drawn from ids that exist and from
whatever fits the document, so that both the answers of success and the refusals are compared with it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any, Final
from warnings import catch_warnings, simplefilter

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from requests.adapters import HTTPAdapter
from schemathesis import Case, CheckFunction, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

TIMEOUT_S: Final = 30.0
TURNS_MAX: Final = 5  # operations that cannot be asked in every way leave their share to others
ANSWERS: Final[tuple[CheckFunction, ...]] = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
)
"""What every answer must keep to, whatever was asked."""

MODES: Final = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@dataclass
class Counted(requests.Session):
    """A session that counts what it sends, by the status it was answered with."""

    statuses: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=1))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send and count."""
        response = super().send(request, **kwargs)
        self.statuses[response.status_code] = self.statuses.get(response.status_code, 0) + 1
        return response

    @property
    def request_count(self) -> int:
        """Requests that were sent and answered."""
        return sum(self.statuses.values())


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A dialect to be asked: its document, where it is, and what is known of it.

    `known` has values that exist for parts of paths, by `path parameter` or parameter alone. `strict` are the checks
    beyond `ANSWERS`. `credentials` are for bodies and queries, where a dialect has them there.

    That every allowed request succeeds is not checked (`positive_data_acceptance`): which telephone numbers there
    are, or whether a cursor is one of ours, no document can say. What requires credentials is tested by sending
    wrong ones with everything (`ignored_auth` would send more requests than are counted).
    """

    document: Mapping[str, Any]
    server: str
    headers: Mapping[str, str]
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)
    strict: Sequence[CheckFunction] = (negative_data_rejection,)
    credentials: Mapping[str, str] = field(default_factory=dict)

    def load(self) -> BaseSchema:
        """The document as Schemathesis reads it."""
        return schemathesis.openapi.from_dict(
            _prepare(self.document, frozenset(name.lower() for name in self.headers))
        )

    @property
    def base_url(self) -> str:
        """Where its paths begin."""
        servers = self.document.get("servers") or [{"url": ""}]
        return self.server + str(servers[0]["url"]).rstrip("/")

    @property
    def checks(self) -> list[CheckFunction]:
        """What every answer is held to."""
        return [*ANSWERS, *self.strict]


def _prepare(document: Mapping[str, Any], fixed: frozenset[str]) -> dict[str, Any]:
    """The document as for somebody who is known: what wrong credentials get has tests of its own.

    Headers that every request has, its sender's and his account's, are not made up.
    """

    def prepare(operation: Any) -> Any:
        if not isinstance(operation, dict):
            return operation
        parameters = [
            it
            for it in operation.get("parameters", ())
            if it.get("in") != "header" or it["name"].lower() not in fixed
        ]
        return {key: it for key, it in operation.items() if key != "security"} | {"parameters": parameters}

    paths = {
        path: {method: prepare(operation) for method, operation in item.items() if method != "parameters"}
        | ({"parameters": item["parameters"]} if "parameters" in item else {})
        for path, item in document["paths"].items()
    }
    return {key: it for key, it in document.items() if key != "security"} | {"paths": paths}


def operations(schema: BaseSchema) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    """Every operation of a document."""
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), "an operation cannot be read"
        yield result.ok()


def fuzz(subject: Subject, count: int, session: Counted, *, seeded: int = 0) -> list[BaseException]:
    """Send `count` requests or somewhat more, spread over all operations; return what checks found.

    Each operation is asked what its document allows and what it forbids, with ids that exist and with made-up ones.
    """
    found: list[BaseException] = []
    questions = [
        it for operation in operations(subject.load()) for it in _questions(subject, operation, session)
    ]
    before = session.request_count
    for turn in range(TURNS_MAX):
        missing = count - (session.request_count - before)
        if missing <= 0 or found or not questions:
            break
        each = -(-missing // len(questions))
        questions = [it for it in questions if _is_asked(it, each, seeded + turn, found)]
    return found


@dataclass(frozen=True)
class Question:
    """A Hypothesis test of one operation, and what it is about."""

    title: str
    make: Callable[[], Callable[[], None]]
    """Makes the test anew: Hypothesis runs each with one seed."""


def _is_asked(question: Question, count: int, seeded: int, found: list[BaseException]) -> bool:
    """Ask it so many times; False when there is nothing to ask: not every operation can be asked wrongly."""
    bounded = settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with catch_warnings():
        simplefilter("ignore")  # of generation, about what no value can be made for
        try:
            seed(seeded)(bounded(question.make()))()
        except Unsatisfiable:
            return False
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  # the other operations are asked, too
            error.add_note(f"{question.title}, seed {seeded}")
            found.append(error)
    return True


def _questions(
    subject: Subject, operation: APIOperation[Any, Any, Any, Any], session: Counted
) -> Iterator[Question]:
    names = [it.name for it in operation.path_parameters]
    known = {name: subject.known.get(f"{operation.path} {name}") or subject.known.get(name) for name in names}
    paths: list[dict[str, str] | None] = [None]
    if names and all(known.values()):
        paths += [dict(zip(names, ids, strict=True)) for ids in product(*(it or () for it in known.values()))]
    for mode in MODES:
        for path in paths:
            cases = operation.as_strategy(generation_mode=mode, path_parameters=path)
            title = f"{operation.method.upper()} {operation.path} ({mode.value}, path {path})"
            make = partial(_ask_all, subject, cases, subject.checks, session)
            yield Question(title, make)


def _ask_all(
    subject: Subject, cases: st.SearchStrategy[Case[Any]], checks: list[CheckFunction], session: Counted
) -> Callable[[], None]:
    @given(case=cases)
    def ask(case: Case[Any]) -> None:
        _ask(subject, case, checks, session)

    return ask


def _ask(subject: Subject, case: Case[Any], checks: list[CheckFunction], session: Counted) -> None:
    if isinstance(case.body, dict):
        case.body = {**case.body, **subject.credentials}
    elif subject.credentials:
        case.query = {**(case.query or {}), **subject.credentials}
    response = case.call(
        base_url=subject.base_url,
        session=session,
        headers=dict(subject.headers),
        timeout=TIMEOUT_S,
        allow_redirects=False,
    )
    case.validate_response(response, checks=checks, headers=dict(subject.headers))
