# Made by tools/make-client; change the asynchronous one instead.
"""The client as a whole: one service, one key, and the resources."""

import ssl
from functools import cached_property
from types import TracebackType
from typing import Self

import httpx

from maskline.client._sync.calling import Calls, Recordings, Sessions, Usage
from maskline.client._sync.operating import (
    Accounts,
    DeepCall,
    Keys,
    Numbers,
    Pools,
    Subaccounts,
    Trunks,
)
from maskline.client._sync.telling import Deliveries, Events, Webhooks
from maskline.client._sync.transport import Transport, change_options
from maskline.client.options import ANSWER_TIMEOUT_S, Options, build_credentials
from maskline.client.retries import RetryPolicy
from maskline.client.wire import USER_AGENT, check_server
from maskline.core.secret import Secret


class Client:
    """Speaks the native API of one service. Use it as a context manager, or `close` it.

    One client serves any number of threads at once.
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
        http_transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Nothing is sent yet.

        `server` is where the service is reached, such as https://maskline.example.com. Credentials are an `api_key`
        (mk_...), or an account's `auth_id` and `auth_token`. `account` is the auth id of the account or sub-account
        for which an operator's key acts. `verify` is how the service's certificate is judged. `http_transport`
        replaces the network, for tests. Raises ValueError.
        """
        http = httpx.Client(
            auth=build_credentials(api_key, auth_id, auth_token),
            headers={"User-Agent": USER_AGENT},
            verify=verify,
            transport=http_transport,
        )
        options = Options(account=account, timeout_s=timeout_s, retries=retries)
        self._transport = Transport(http, check_server(server), options)

    def with_options(
        self,
        *,
        account: str | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> "Client":
        """The same client, over the same connections, acting for another account, or with a key or time-out given.

        An `idempotency_key` is for one POST: the same key with another request is refused.
        """
        options = change_options(self._transport.options, account, idempotency_key, timeout_s)
        other = object.__new__(Client)
        other._transport = self._transport.with_options(options)
        return other

    def __repr__(self) -> str:
        return f"Client({self._transport.server!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, also those of clients made `with_options`."""
        self._transport.close()

    @cached_property
    def accounts(self) -> Accounts:
        """Tenants, and the account that the client acts for."""
        return Accounts(self._transport)

    @cached_property
    def subaccounts(self) -> Subaccounts:
        """Parts of an account with credentials of their own."""
        return Subaccounts(self._transport)

    @cached_property
    def deepcall(self) -> DeepCall:
        """Credentials for clients of the DeepCall dialect."""
        return DeepCall(self._transport)

    @cached_property
    def keys(self) -> Keys:
        """API keys."""
        return Keys(self._transport)

    @cached_property
    def trunks(self) -> Trunks:
        """Interconnects with carriers."""
        return Trunks(self._transport)

    @cached_property
    def numbers(self) -> Numbers:
        """Virtual numbers."""
        return Numbers(self._transport)

    @cached_property
    def pools(self) -> Pools:
        """Groups of an account's numbers."""
        return Pools(self._transport)

    @cached_property
    def sessions(self) -> Sessions:
        """Masking sessions."""
        return Sessions(self._transport)

    @cached_property
    def calls(self) -> Calls:
        """Calls, live and finished."""
        return Calls(self._transport)

    @cached_property
    def recordings(self) -> Recordings:
        """Recordings of calls."""
        return Recordings(self._transport)

    @cached_property
    def usage(self) -> Usage:
        """How the account's numbers are used."""
        return Usage(self._transport)

    @cached_property
    def webhooks(self) -> Webhooks:
        """Where an account wants its events told."""
        return Webhooks(self._transport)

    @cached_property
    def deliveries(self) -> Deliveries:
        """Events on their way to callbacks and webhooks."""
        return Deliveries(self._transport)

    @cached_property
    def events(self) -> Events:
        """What happens, as it happens."""
        return Events(self._transport)
