"""Whatever is asked, allowed or not, the answers are what the documents say, and none is the service's failure."""

from dataclasses import replace

import pytest
from tests.api.service import Service
from tests.openapi.fuzzing import Counted, fuzz
from tests.openapi.subjects import SUBJECTS, WRONG

COUNTS = {"native": 1_000, "plivo": 500, "deepcall": 300}
"""Requests of an ordinary run; with those of wrong credentials 2,000."""
WRONG_COUNT = 100
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


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", COUNTS)
def test_answers_are_what_the_document_says_many_times(service: Service, name: str) -> None:
    """Twenty thousand requests in all, with ordinary runs'."""
    for part in range(LONG_FACTOR):
        ask(service, name, COUNTS[name] * 11 // LONG_FACTOR, seeded=100 + part)
