"""The HTTP client of the demonstration: what a customer of the Plivo dialect would send."""

import asyncio
import base64
import json
import urllib.request
from dataclasses import dataclass
from typing import Any

from maskline.core.inventory import Account
from maskline.core.numbers import E164

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class CreatedSession:
    """What the answer to a create says."""

    session_id: str
    virtual_number: str


class MaskingClient:
    """Creates and deletes masking sessions of one account."""

    def __init__(self, address: tuple[str, int], account: Account) -> None:
        self._base = f"http://{address[0]}:{address[1]}/v1/Account/{account.auth_id}/Masking/Session/"
        pair = f"{account.auth_id}:{account.token.reveal()}".encode()
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(pair).decode(),
            "Content-Type": "application/json",
        }

    async def create(self, first: E164, second: E164) -> CreatedSession:
        """Create a session between two numbers."""
        body = {"first_party": first.reveal(), "second_party": second.reveal()}
        answer = await self._send("POST", self._base, body)
        return CreatedSession(str(answer["session_uuid"]), str(answer["virtual_number"]))

    async def delete(self, session_id: str) -> None:
        """End a session."""
        await self._send("DELETE", f"{self._base}{session_id}/", None)

    async def _send(self, method: str, url: str, body: dict[str, str] | None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, headers=self._headers, method=method)  # noqa: S310  # http://

        def send() -> dict[str, Any]:
            # No proxy of the environment: this address is on this machine.
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=TIMEOUT_S) as response:
                answer: dict[str, Any] = json.load(response)
                return answer

        return await asyncio.to_thread(send)
