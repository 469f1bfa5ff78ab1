"""Sending requests, and sending them again: the part of the client that knows HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

import httpx
from pydantic import BaseModel

from maskline.client.errors import AnswerUnreadableError, ClientError, ConnectionFailedError, TimedOutError
from maskline.client.options import CONNECT_TIMEOUT_S, Options, draw_chance, draw_key
from maskline.client.retries import RUNNING, decide_wait, retried_statuses
from maskline.client.wire import (
    ACCOUNT_HEADER,
    KEY_HEADER,
    PREFIX,
    Query,
    build_body,
    build_query,
    read_answer,
    read_refusal,
)
from maskline.clock import Clock, SystemClock, to_datetime

M = TypeVar("M", bound=BaseModel)


class AsyncTransport:
    """One service and the options of its calls; `with_options` gives others over the same connections."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        server: str,
        options: Options,
        *,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = draw_chance,
    ) -> None:
        self._http = http
        self.server = server
        self.options = options
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._chance = chance

    def with_options(self, options: Options) -> "AsyncTransport":
        """The same service with other options."""
        return AsyncTransport(
            self._http, self.server, options, clock=self._clock, sleep=self._sleep, chance=self._chance
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, path: str, answer: type[M], *, query: Query | None = None) -> M:
        """GET. Raises ClientError, as every method here."""
        return read_answer(await self.send("GET", path, query=query), answer)

    async def post(self, path: str, answer: type[M], *, body: BaseModel | None = None) -> M:
        """POST, which a key makes safe to send again."""
        return read_answer(await self.send("POST", path, body=body), answer)

    async def patch(self, path: str, answer: type[M], *, body: BaseModel) -> M:
        """PATCH: what was not given stays."""
        return read_answer(await self.send("PATCH", path, body=body), answer)

    async def delete(self, path: str, *, query: Query | None = None) -> httpx.Response:
        """DELETE; the answer may have a body."""
        return await self.send("DELETE", path, query=query)

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: BaseModel | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request and read its answer."""
        async with self.stream(method, path, query=query, body=body, headers=headers) as response:
            try:
                await response.aread()
            except httpx.HTTPError as error:
                raise _failure(error) from None
            return response

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: BaseModel | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """Send a request; its successful answer is for the caller to read while the context lasts."""
        content = build_body(body)
        sent = self._headers(method, content, headers or {})
        response = await self._send(
            lambda: self._http.build_request(
                method,
                f"{self.server}{PREFIX}{path}",
                params=build_query(query),
                content=content,
                headers=sent,
                timeout=httpx.Timeout(timeout_s or self.options.timeout_s, connect=CONNECT_TIMEOUT_S),
            )
        )
        try:
            yield response
        finally:
            await response.aclose()

    async def pause(self, attempt_count: int) -> None:
        """Wait as before another attempt after so many."""
        patient = replace(self.options.retries, attempt_max=attempt_count + 1)
        await self._sleep(decide_wait(patient, attempt_count, asked_s=None, chance=self._chance()) or 0.0)

    async def _send(self, build: Callable[[], httpx.Request]) -> httpx.Response:
        """Attempts until one succeeds or no more are due."""
        attempt_count = 0
        while True:
            attempt_count += 1
            outcome = await self._attempt(build())
            if isinstance(outcome, httpx.Response):
                return outcome
            error, can_repeat, asked_s = outcome
            wait_s = (
                decide_wait(self.options.retries, attempt_count, asked_s=asked_s, chance=self._chance())
                if can_repeat
                else None
            )
            if wait_s is None:
                raise error
            await self._sleep(wait_s)

    async def _attempt(
        self, request: httpx.Request
    ) -> httpx.Response | tuple[ClientError, bool, float | None]:
        """The answer, or why there is none, whether that may pass, and how long the service asked to wait."""
        try:
            response = await self._http.send(request, stream=True)
            if response.is_success:
                return response
            try:
                await response.aread()
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            failure = _failure(error)
            is_lost = not isinstance(failure, TimedOutError)
            return failure, _is_unsent(error) or (is_lost and _is_harmless_twice(request)), None
        problem = read_refusal(response, to_datetime(self._clock.now()))
        retried = retried_statuses(is_harmless_twice=_is_harmless_twice(request))
        if problem is None:
            return AnswerUnreadableError(response.status_code), response.status_code in retried, None
        can_repeat = problem.status in retried or problem.code == RUNNING
        return problem, can_repeat, problem.retry_after_s

    def _headers(self, method: str, content: bytes | None, given: Mapping[str, str]) -> dict[str, str]:
        headers = {"Accept": "application/json", **given}
        if content is not None:
            headers["Content-Type"] = "application/json"
        if self.options.account is not None:
            headers[ACCOUNT_HEADER] = self.options.account
        if method == "POST":
            headers[KEY_HEADER] = self.options.idempotency_key or draw_key()
        return headers


class AsyncResource:
    """What can be done with one kind of thing."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport


def change_options(
    options: Options, account: str | None, idempotency_key: str | None, timeout_s: float | None
) -> Options:
    """The same options with those that are given."""
    changed = replace(options, idempotency_key=idempotency_key)
    if account is not None:
        changed = replace(changed, account=account)
    return changed if timeout_s is None else replace(changed, timeout_s=timeout_s)


def _is_unsent(error: httpx.HTTPError) -> bool:
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def _is_harmless_twice(request: httpx.Request) -> bool:
    """Whether it may have arrived before: what is ended or changed twice can be refused the second time."""
    return request.method == "GET" or KEY_HEADER in request.headers


def _failure(error: httpx.HTTPError) -> ConnectionFailedError:
    """What went wrong, without what httpx says of it: that may name what was sent."""
    if isinstance(error, httpx.TimeoutException):
        return TimedOutError("the service did not answer in time")
    if isinstance(error, httpx.ConnectError):
        return ConnectionFailedError("the service cannot be reached")
    return ConnectionFailedError("the connection to the service was lost")
