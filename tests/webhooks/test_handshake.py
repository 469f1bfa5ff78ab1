import asyncio

import pytest

from maskline.core.delivery import EndpointCheck
from maskline.outbound.types import FailureReason, RefusalReason
from maskline.testing.outbound import FakeOutbound
from maskline.webhooks.handshake import ANSWER_BYTES_MAX, CHECK_S, WORD, check_receiver

URL = "https://panel.example.com/push"


def check(http: FakeOutbound) -> EndpointCheck:
    """Call the one URL of these tests."""
    return asyncio.run(check_receiver(http, URL))


@pytest.mark.parametrize(
    "body",
    [
        WORD,
        f"{WORD}\n",
        f'"{WORD}"',
        f"<html><body>{WORD}</body></html>",
        " " * (ANSWER_BYTES_MAX - len(WORD)) + WORD,
    ],
    ids=["bare", "with newline", "as JSON", "in a page", "late"],
)
def test_the_word_confirms(body: str) -> None:
    """Wherever it stands in the first kilobytes of the answer."""
    http = FakeOutbound()
    http.answer(URL, body=body.encode())
    assert check(http) is EndpointCheck.CONFIRMED
    [sent] = http.requests
    assert (sent.method, sent.body, dict(sent.headers)) == (
        "POST",
        b"{}",
        {"Content-Type": "application/json"},
    )


@pytest.mark.parametrize("status", [201, 204, 299])
def test_any_success_will_do(status: int) -> None:
    """What counts is the word, with any status of 200 to 299."""
    http = FakeOutbound()
    http.answer(URL, status=status, body=WORD.encode())
    assert check(http) is EndpointCheck.CONFIRMED


@pytest.mark.parametrize("status", [404, 405, 500])
def test_receivers_of_get_are_found_too(status: int) -> None:
    """One that answers no POST of nothing is asked again as a browser would."""
    http = FakeOutbound()
    http.answer(URL, status=status)
    http.answer(URL, body=WORD.encode())
    assert check(http) is EndpointCheck.CONFIRMED
    assert [(it.method, it.body) for it in http.requests] == [("POST", b"{}"), ("GET", None)]


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, b"", EndpointCheck.WRONG_WORD),
        (200, WORD.lower().encode(), EndpointCheck.WRONG_WORD),
        (200, b" " * ANSWER_BYTES_MAX + WORD.encode(), EndpointCheck.WRONG_WORD),
        (302, WORD.encode(), EndpointCheck.WRONG_STATUS),
        (403, WORD.encode(), EndpointCheck.WRONG_STATUS),
    ],
    ids=["nothing", "small letters", "too late", "redirect", "refused"],
)
def test_others_are_refused(status: int, body: bytes, found: EndpointCheck) -> None:
    """Redirects are not followed, and the word has capital letters."""
    http = FakeOutbound()
    http.answer(URL, status=status, body=body)
    assert check(http) is found


@pytest.mark.parametrize(
    "reason", [FailureReason.CONNECT, FailureReason.TIMEOUT, RefusalReason.ADDRESS_NOT_PUBLIC], ids=str
)
def test_silence_is_no_confirmation(reason: FailureReason | RefusalReason) -> None:
    """Whether the service may not call it, or nobody is there."""
    http = FakeOutbound()
    http.fail(URL, reason)
    assert check(http) is EndpointCheck.UNREACHABLE


def test_somebody_waits_for_it() -> None:
    """Both calls together are bounded, and little is read."""
    http = FakeOutbound()
    assert check(http) is EndpointCheck.UNREACHABLE
    assert sum(it.limits.total_s for it in http.requests) == CHECK_S
    assert all(it.limits.response_bytes_max == ANSWER_BYTES_MAX for it in http.requests)
