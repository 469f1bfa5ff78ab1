"""A client of the service's HTTP interface, made of nothing but the standard library."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.interop.ground import HTTP_PORT, Carrier, Ground

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body as an object."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True, slots=True)
class Client:
    """Whoever has the credentials of a carrier's account."""

    ground: Ground
    carrier: Carrier

    def request(
        self, method: str, path: str, body: Mapping[str, object] | None = None, **headers: str
    ) -> Answer:
        """Ask for a path below the account's own."""
        account = self.carrier.account
        credentials = f"{account.auth_id}:{account.token.reveal()}".encode()
        request = urllib.request.Request(
            f"http://{self.ground.address[0]}:{HTTP_PORT}/v1/Account/{account.auth_id}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Basic " + base64.b64encode(credentials).decode(),
                "Content-Type": "application/json",
                **headers,
            },
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=TIMEOUT_S) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def create(self, **fields: object) -> dict[str, Any]:
        """Create a session of the carrier's two subscribers, or of others; return it as it is answered."""
        pair = {"first_party": self.carrier.a.number, "second_party": self.carrier.b.number}
        given = {name: value for name, value in (pair | fields).items() if value is not None}
        answer = self.request("POST", "Masking/Session/", given)
        assert answer.status == 201, answer.body
        session: dict[str, Any] = answer.json["session"]
        assert session["virtual_number"] == self.carrier.virtual.removeprefix("+"), "first fit"
        return session

    def session(self, session_uuid: str) -> dict[str, Any]:
        """Return a session as it stands."""
        answer = self.request("GET", f"Masking/Session/{session_uuid}/")
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.json["response"]
        return found

    def recordings(self) -> list[dict[str, Any]]:
        """Return the account's recordings, newest first."""
        answer = self.request("GET", "Recording/")
        assert answer.status == 200, answer.body
        found: list[dict[str, Any]] = answer.json["objects"]
        return found
