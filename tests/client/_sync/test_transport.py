# Made by tools/make-client; change the asynchronous one instead.
import httpx
import pytest
from pydantic import BaseModel

from maskline.client._sync.transport import Transport
from maskline.client.errors import (
    AnswerUnreadableError,
    ConflictError,
    ConnectionFailedError,
    InvalidRequestError,
    NotAuthenticatedError,
    TimedOutError,
    TooManyRequestsError,
)
from maskline.client.options import Options
from maskline.client.retries import NO_RETRIES, RetryPolicy

SERVER = "https://maskline.test"
PROBLEM = {"content-type": "application/problem+json"}


class Thing(BaseModel):
    name: str


class Script:
    """Answers requests in turn and remembers them, and the waits between them."""

    def __init__(self, *answers: httpx.Response | httpx.HTTPError) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, httpx.HTTPError):
            raise answer
        return answer

    def sleep(self, wait_s: float) -> None:
        self.waits.append(wait_s)

    def transport(self, options: Options = Options()) -> Transport:  # noqa: B008
        http = httpx.Client(transport=httpx.MockTransport(self))
        return Transport(http, SERVER, options, sleep=self.sleep, chance=lambda: 1.0)


def done(name: str = "x") -> httpx.Response:
    return httpx.Response(200, json={"name": name})


def refused(status: int, code: str, **headers: str) -> httpx.Response:
    members = {"type": "about:blank", "title": "No", "status": status, "code": code}
    return httpx.Response(status, json=members, headers={**PROBLEM, **headers})


def test_get_reads_the_answer() -> None:
    """The path stands below the prefix; what is None in a query is left out."""
    script = Script(done("a"))
    thing = script.transport().get("/things", Thing, query={"limit": 5, "after": None, "live": True})
    assert thing == Thing(name="a")
    assert str(script.requests[0].url) == f"{SERVER}/maskline/v1/things?limit=5&live=true"
    assert "idempotency-key" not in script.requests[0].headers


def test_post_is_sent_again_with_the_same_key() -> None:
    """A lost answer, then a busy service: one key, three requests, growing waits."""
    script = Script(httpx.ReadError("lost"), refused(503, "failed"), done())
    script.transport().post("/things", Thing, body=Thing(name="b"))
    keys = [request.headers["idempotency-key"] for request in script.requests]
    assert len(set(keys)) == 1
    assert len(keys) == 3
    assert [request.content for request in script.requests] == [b'{"name":"b"}'] * 3
    assert script.waits == [0.25, 0.5]


def test_two_posts_have_two_keys() -> None:
    """A drawn key is for one call; a given one is taken as it is."""
    script = Script(done(), done(), done())
    script.transport().post("/things", Thing)
    script.transport().post("/things", Thing)
    script.transport(Options(idempotency_key="mine")).post("/things", Thing)
    first, second, third = (request.headers["idempotency-key"] for request in script.requests)
    assert first != second
    assert third == "mine"


def test_the_service_says_how_long_to_wait() -> None:
    """Retry-After is honoured."""
    script = Script(refused(429, "overloaded", **{"Retry-After": "7"}), done())
    script.transport().get("/things", Thing)
    assert script.waits == [7.0]


def test_a_wait_that_is_too_long_is_not_waited() -> None:
    """The caller hears of it, and how long it would have been."""
    script = Script(refused(429, "overloaded", **{"Retry-After": "3600"}))
    with pytest.raises(TooManyRequestsError) as caught:
        script.transport().get("/things", Thing)
    assert caught.value.retry_after_s == 3600.0
    assert script.waits == []


def test_attempts_are_bounded() -> None:
    """The last failure is the caller's."""
    script = Script(*(httpx.ConnectError("no") for _ in range(4)))
    with pytest.raises(ConnectionFailedError):
        script.transport().get("/things", Thing)
    assert script.waits == [0.25, 0.5, 1.0]


def test_a_running_request_is_asked_for_again() -> None:
    """The same key is being worked on: its answer will come."""
    script = Script(refused(409, "idempotency-running"), done())
    script.transport().post("/things", Thing)
    assert len(script.requests) == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(401, "not-authenticated"), NotAuthenticatedError),
        (refused(409, "delivery-unfinished"), ConflictError),
        (refused(422, "invalid"), InvalidRequestError),
        (httpx.Response(404, text="nothing here"), AnswerUnreadableError),
        (httpx.Response(200, text="<html>"), AnswerUnreadableError),
        (httpx.Response(302, headers={"location": "https://elsewhere.test"}), AnswerUnreadableError),
        (httpx.ReadTimeout("late"), TimedOutError),
    ],
)
def test_what_will_not_pass_is_not_repeated(
    answer: httpx.Response | httpx.HTTPError, kind: type[Exception]
) -> None:
    """One request, one error of its kind."""
    script = Script(answer)
    with pytest.raises(kind):
        script.transport().get("/things", Thing)
    assert len(script.requests) == 1


def test_a_proxy_that_waits_for_the_service_is_asked_again() -> None:
    """Its 502 has no problem in it."""
    script = Script(httpx.Response(502, text="bad gateway"), done())
    script.transport().get("/things", Thing)
    assert len(script.requests) == 2


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
@pytest.mark.parametrize(
    "answer", [httpx.ReadError("lost"), httpx.RemoteProtocolError("lost"), httpx.Response(502)]
)
def test_what_ends_or_changes_is_not_sent_again_once_it_may_have_arrived(
    method: str, answer: httpx.Response | httpx.HTTPError
) -> None:
    """It may have been carried out, and would then be refused as ended already."""
    script = Script(answer)
    with pytest.raises((ConnectionFailedError, AnswerUnreadableError)):
        script.transport().send(method, "/things/a")
    assert len(script.requests) == 1


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_what_ends_or_changes_is_sent_again_when_it_was_not_carried_out(method: str) -> None:
    """No connection was made, or the service said so."""
    script = Script(
        httpx.ConnectError("no"), httpx.ConnectTimeout("late"), refused(429, "overloaded"), done("gone")
    )
    assert (script.transport().send(method, "/things/a")).json() == {"name": "gone"}
    assert len(script.requests) == 4


def test_reading_is_repeated_after_a_lost_connection() -> None:
    """It does nothing a second time."""
    script = Script(httpx.ReadError("lost"), done())
    script.transport().get("/things", Thing)
    assert len(script.requests) == 2


def test_no_retries_where_none_are_wanted() -> None:
    """The policy decides."""
    script = Script(httpx.ConnectError("no"))
    with pytest.raises(ConnectionFailedError):
        script.transport(Options(retries=NO_RETRIES)).get("/things", Thing)


def test_the_account_goes_with_every_request() -> None:
    """Also with those of another client over the same connections."""
    script = Script(done(), done())
    transport = script.transport(Options(account="MA1", retries=RetryPolicy()))
    transport.get("/things", Thing)
    transport.with_options(Options(account="MA2")).get("/things", Thing)
    assert [it.headers["maskline-account"] for it in script.requests] == ["MA1", "MA2"]


def test_errors_do_not_repeat_what_was_sent() -> None:
    """A number in a query is neither in the error nor in what caused it."""
    script = Script(httpx.ConnectError("cannot connect for +912025550000"))
    with pytest.raises(ConnectionFailedError) as caught:
        script.transport(Options(retries=NO_RETRIES)).get("/s", Thing, query={"first": "+912025550000"})
    assert "2025550000" not in repr(caught.value)
    assert caught.value.__context__ is None


def test_a_stream_ends_with_its_context() -> None:
    """Its bytes are for the caller to read."""
    script = Script(done("z"))
    with script.transport().stream("GET", "/things") as response:
        assert b"z" in response.read()
    assert response.is_closed


def test_a_callers_error_passes_through_the_stream() -> None:
    """What fails while an answer is read is not the service's failure, and the answer is closed."""
    with pytest.raises(KeyError):
        with Script(done()).transport().stream("GET", "/things") as response:
            raise KeyError
    assert response.is_closed
