"""The HTTP side on a real socket over a real database, in a thread of its own."""

import asyncio
import base64
import http.client
import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from tests.api.faults import Faults

from maskline.api.app import create_app
from maskline.api.deepcall.kernel import DeepCallSettings
from maskline.api.server import start_server
from maskline.clock import Clock
from maskline.core.delivery import EndpointCheck
from maskline.core.inventory import Account, NewAccount, NewNumbers, Target, Trunk, TrunkSettings
from maskline.core.numbers import DID
from maskline.recordings.storage import RecordingStorage
from maskline.store.setup import open_store
from maskline.store.thread import StoreThreads
from maskline.testing.clock import ManualClock
from maskline.workflows.accounts import create_account
from maskline.workflows.numbers import NumbersAdded, add_numbers
from maskline.workflows.trunks import add_trunk

T = TypeVar("T")
WAIT_S = 20.0  # for what takes milliseconds on an idle machine


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class Service:
    """Started on construction, on a free loopback port; `close` stops it."""

    def __init__(
        self,
        database_url: str,
        key_file: Path,
        clock: Clock | None = None,
        *,
        recordings: RecordingStorage | None = None,
        deepcall: DeepCallSettings | None = None,
    ) -> None:
        self.database_url = database_url
        self.key_file = key_file
        self.store = open_store(self.database_url, self.key_file)
        self.manual_clock = ManualClock()
        self.clock = clock or self.manual_clock
        self.port = 0
        self.recordings = recordings
        self.deepcall = deepcall
        self.faults = Faults()
        self.receivers: dict[str, EndpointCheck] = {}
        """What receivers of reports answer by URL; nobody is at any other."""
        self._ready = threading.Event()
        self._serial = count()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(WAIT_S)
        trunk = self.run(
            add_trunk, TrunkSettings(name="carrier", targets=(Target(host="127.0.0.1"),)), self.clock.now()
        )
        assert isinstance(trunk, Trunk)
        self.trunk = trunk

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        threads = StoreThreads(self.store)
        app = create_app(
            store=threads,
            clock=self.clock,
            random_bytes=os.urandom,
            public_url="http://maskline.test",
            recordings=self.recordings,
            deepcall=self.deepcall,
            check_receiver=self._check_receiver,
        )
        server = await start_server(self.faults.around(app), ("127.0.0.1", 0))
        self.port = server.address[1]
        self._ready.set()
        await self._stop.wait()
        await server.close()
        await threads.close()

    async def _check_receiver(self, url: str) -> EndpointCheck:
        return self.receivers.get(url, EndpointCheck.UNREACHABLE)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        self.store.close()

    def run(self, workflow: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return self.store.run(workflow, *args, **kwargs)

    def new_account(self, number_count: int = 5, country_code: str = "91") -> "Tenant":
        """An account of its own, with virtual numbers of its own."""
        serial = next(self._serial)
        now = self.clock.now()
        account = self.run(create_account, NewAccount(name=f"account {serial}"), now)
        assert isinstance(account, Account)
        national = "22699" if country_code == "91" else "202555"
        width = 10 - len(national)
        numbers = tuple(
            DID(f"+{country_code}{national}{serial * 20 + index:0{width}}") for index in range(number_count)
        )
        if numbers:
            new = NewNumbers(numbers=numbers, account_id=account.id, trunk_id=self.trunk.id)
            assert isinstance(self.run(add_numbers, new, now), NumbersAdded)
        return Tenant(self, account, numbers)

    def settle(self, name: str) -> None:
        """Wait for the tasks of this name that requests left behind."""

        async def wait() -> None:
            await asyncio.gather(*(it for it in asyncio.all_tasks() if it.get_name() == name))

        asyncio.run_coroutine_threadsafe(wait(), self._loop).result(WAIT_S)

    def request(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own, its target sent as given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request(method, target, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()


@dataclass(frozen=True)
class Tenant:
    """An account and how to speak for it."""

    service: Service
    account: Account
    numbers: tuple[DID, ...]

    @property
    def auth_id(self) -> str:
        return self.account.auth_id

    @property
    def token(self) -> str:
        return self.account.token.reveal()

    @property
    def path(self) -> str:
        return f"/v1/Account/{self.auth_id}"

    @property
    def authorization(self) -> dict[str, str]:
        return basic(self.auth_id, self.token)

    def request(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """A request below the account's path; a body that is no bytes is sent as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return self.service.request(method, self.path + path, data, self.authorization | headers)

    def create(self, **fields: object) -> Any:
        """The body of a successful create."""
        answer = self.request("POST", "/Masking/Session/", PAIR | fields)
        assert answer.status == 201, answer.text
        return answer.body

    def count_sessions(self) -> int:
        answer = self.request("GET", "/Masking/Session/")
        total: int = answer.body["response"]["meta"]["total_count"]
        return total


PAIR = {"first_party": "+912025550000", "second_party": "+912025551111"}


def basic(user: str, token: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()}
