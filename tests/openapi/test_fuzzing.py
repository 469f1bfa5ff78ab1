"""Whatever is asked, allowed or not, the answers are what the documents say, and none is the service's failure."""

from dataclasses import replace
from typing import Any

import pytest
from schemathesis import Case, CheckContext
from schemathesis.core.transport import Response
from tests.api.service import Service
from tests.openapi.fuzzing import Counted, fuzz
from tests.openapi.subjects import SUBJECTS, WRONG, WRONG_SSID

from maskline.api.deepcall.errors import Code

COUNTS = {"native": 1_000, "plivo": 500, "deepcall": 250}
"""Requests of an ordinary run; with those of wrong credentials 2,000."""
REFUSED = {Code.NOT_AUTHENTICATED, Code.INVALID, Code.MALFORMED}
WRONG_COUNT = 100
WRONG_SSID_COUNT = 50
LONG_FACTOR = 10


def ask(service: Service, name: str, count: int, seeded: int) -> Counted:
    """Ask a dialect so often; nothing may be found."""
    with Counted() as session:
        found = fuzz(SUBJECTS[name](service), count, session, seeded=seeded)
    if found:
        raise BaseExceptionGroup(f"{name}: {session.statuses}", found)
    assert session.request_count >= count
    assert any(200 <= status < 300 for status in session.statuses)
    return session


@pytest.mark.parametrize("name", COUNTS)
def test_answers_are_what_the_document_says(service: Service, name: str) -> None:
    """Statuses, headers, media types and bodies, of success and of refusal."""
    session = ask(service, name, COUNTS[name], seeded=1)
    assert max(session.statuses) < 500


@pytest.mark.parametrize("name", WRONG)
def test_wrong_credentials_open_nothing(service: Service, name: str) -> None:
    """Whatever else is in a request, its answer is 401, as described."""
    subject = replace(SUBJECTS[name](service), headers=WRONG[name], strict=())
    with Counted() as session:
        found = fuzz(subject, WRONG_COUNT, session, seeded=2)
    assert found == []
    assert set(session.statuses) == {401}


def test_a_wrong_ssid_opens_nothing(service: Service) -> None:
    """Every answer is a 200, as the vendor's are, and says that there are no credentials or wrong ones."""
    codes = set()

    def is_refused(_context: CheckContext, response: Response, _case: Case[Any]) -> None:
        code = response.json()["code"]
        assert code in REFUSED
        codes.add(code)

    subject = replace(SUBJECTS["deepcall"](service), credentials={"ssid": WRONG_SSID}, strict=(is_refused,))
    with Counted() as session:
        found = fuzz(subject, WRONG_SSID_COUNT, session, seeded=3)
    assert found == []
    assert Code.NOT_AUTHENTICATED in codes
    assert set(session.statuses) == {200}


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", COUNTS)
def test_answers_are_what_the_document_says_many_times(service: Service, name: str) -> None:
    """More than twenty thousand requests, of all three."""
    for part in range(LONG_FACTOR):
        ask(service, name, COUNTS[name] * 12 // LONG_FACTOR, seeded=100 + part)
