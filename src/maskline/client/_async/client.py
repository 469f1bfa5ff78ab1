"""The client as a whole: one service, one key, and the resources."""

import ssl
from functools import cached_property
from types import TracebackType
from typing import Self

import httpx

from maskline.client._async.calling import AsyncCalls, AsyncRecordings, AsyncSessions, AsyncUsage
from maskline.client._async.operating import (
    AsyncAccounts,
    AsyncDeepCall,
    AsyncKeys,
    AsyncNumbers,
    AsyncPools,
    AsyncSubaccounts,
    AsyncTrunks,
)
from maskline.client._async.telling import AsyncDeliveries, AsyncEvents, AsyncWebhooks
from maskline.client._async.transport import AsyncTransport, change_options
from maskline.client.options import ANSWER_TIMEOUT_S, Options, build_credentials
from maskline.client.retries import RetryPolicy
from maskline.client.wire import USER_AGENT, check_server
from maskline.core.secret import Secret


class AsyncClient:
    """Speaks the native API of one service. Use it as a context manager, or `close` it.

    One client serves any number of tasks at once.
    """

    def __init__(
        self,
        server: str,
        *,
        api_key: str | Secret | None = None,
        auth_id: str | None = None,
        auth_token: str | Secret | None = None,
        account: str | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
        retries: RetryPolicy = RetryPolicy(),  # noqa: B008  # it is frozen
        verify: ssl.SSLContext | bool = True,
        http_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Nothing is sent yet.

        `server` is where the service is reached, such as https://maskline.example.com. Credentials are an `api_key`
        (mk_...), or an account's `auth_id` and `auth_token`. `account` is the auth id of the account or sub-account
        for which an operator's key acts. `verify` is how the service's certificate is judged. `http_transport`
        replaces the network, for tests. Raises ValueError.
        """
        http = httpx.AsyncClient(
            auth=build_credentials(api_key, auth_id, auth_token),
            headers={"User-Agent": USER_AGENT},
            verify=verify,
            transport=http_transport,
        )
        options = Options(account=account, timeout_s=timeout_s, retries=retries)
        self._transport = AsyncTransport(http, check_server(server), options)

    def with_options(
        self,
        *,
        account: str | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> "AsyncClient":
        """The same client, over the same connections, acting for another account, or with a key or time-out given.

        An `idempotency_key` is for one POST: the same key with another request is refused.
        """
        options = change_options(self._transport.options, account, idempotency_key, timeout_s)
        other = object.__new__(AsyncClient)
        other._transport = self._transport.with_options(options)
        return other

    def __repr__(self) -> str:
        return f"AsyncClient({self._transport.server!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections, also those of clients made `with_options`."""
        await self._transport.close()

    @cached_property
    def accounts(self) -> AsyncAccounts:
        """Tenants, and the account that the client acts for."""
        return AsyncAccounts(self._transport)

    @cached_property
    def subaccounts(self) -> AsyncSubaccounts:
        """Parts of an account with credentials of their own."""
        return AsyncSubaccounts(self._transport)

    @cached_property
    def deepcall(self) -> AsyncDeepCall:
        """Credentials for clients of the DeepCall dialect."""
        return AsyncDeepCall(self._transport)

    @cached_property
    def keys(self) -> AsyncKeys:
        """API keys."""
        return AsyncKeys(self._transport)

    @cached_property
    def trunks(self) -> AsyncTrunks:
        """Interconnects with carriers."""
        return AsyncTrunks(self._transport)

    @cached_property
    def numbers(self) -> AsyncNumbers:
        """Virtual numbers."""
        return AsyncNumbers(self._transport)

    @cached_property
    def pools(self) -> AsyncPools:
        """Groups of an account's numbers."""
        return AsyncPools(self._transport)

    @cached_property
    def sessions(self) -> AsyncSessions:
        """Masking sessions."""
        return AsyncSessions(self._transport)

    @cached_property
    def calls(self) -> AsyncCalls:
        """Calls, live and finished."""
        return AsyncCalls(self._transport)

    @cached_property
    def recordings(self) -> AsyncRecordings:
        """Recordings of calls."""
        return AsyncRecordings(self._transport)

    @cached_property
    def usage(self) -> AsyncUsage:
        """How the account's numbers are used."""
        return AsyncUsage(self._transport)

    @cached_property
    def webhooks(self) -> AsyncWebhooks:
        """Where an account wants its events told."""
        return AsyncWebhooks(self._transport)

    @cached_property
    def deliveries(self) -> AsyncDeliveries:
        """Events on their way to callbacks and webhooks."""
        return AsyncDeliveries(self._transport)

    @cached_property
    def events(self) -> AsyncEvents:
        """What happens, as it happens."""
        return AsyncEvents(self._transport)
