"""How each HTTP dialect creates a masking session, for the clients of the HTTP benches."""

import base64
from dataclasses import dataclass
from typing import Final

from maskline.core.inventory import Account
from maskline.store.engine import Store, Tx
from maskline.workflows.deepcall_credentials import ensure_credentials

FIRST, SECOND = "@first@", "@second@"
"""What stands in a body for the parties' numbers."""
EXPIRY_S: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Requests of one kind and what their answers must hold; without a body they are GETs."""

    head: str
    """Method, path and headers, each line ended; the rest is the clients' to add."""
    body: str
    wanted_status: int
    wanted_text: str
    """In every right answer: a refusal may have the same status."""
    id_follows: str = ""
    """What comes before a session's id in an answer."""


def plivo(account: Account) -> Requests:
    """Create, as docs/api/plivo.md has it."""
    return Requests(
        head=_head("POST", f"/v1/Account/{account.auth_id}/Masking/Session/", account),
        body=f'{{"first_party": "{FIRST}", "second_party": "{SECOND}", "session_expiry": {EXPIRY_S}}}',
        wanted_status=201,
        wanted_text='"session_uuid":"',
        id_follows='"session_uuid":"',
    )


def plivo_reads(account: Account, path: str = "") -> Requests:
    """Read what lies at a path below the sessions: one of them, or a list."""
    return Requests(
        head=_head("GET", f"/v1/Account/{account.auth_id}/Masking/Session/{path}", account),
        body="",
        wanted_status=200,
        wanted_text='"session_uuid":"',
    )


def deepcall(user_id: str, token: str) -> Requests:
    """Set a mask, as docs/api/deepcall.md has it; a refusal would have the same status."""
    credentials = f'"userId": "{user_id}", "token": "{token}"'
    return Requests(
        head="POST /api/v2/Masking/set HTTP/1.1\r\nContent-Type: application/json\r\n",
        body=f'{{{credentials}, "m1": "{FIRST}", "m2": "{SECOND}", "expiry": {EXPIRY_S // 60}}}',
        wanted_status=200,
        wanted_text='"mask":"',
    )


def native(account: Account) -> Requests:
    """Create, as docs/api/native.md has it."""
    return Requests(
        head=_head("POST", "/maskline/v1/sessions", account),
        body=f'{{"first": "{FIRST}", "second": "{SECOND}", "expires_in_s": {EXPIRY_S}}}',
        wanted_status=201,
        wanted_text='"object":"session"',
    )


def _head(method: str, path: str, account: Account) -> str:
    credentials = base64.b64encode(f"{account.auth_id}:{account.token.reveal()}".encode()).decode()
    content = "Content-Type: application/json\r\n" if method == "POST" else ""
    return f"{method} {path} HTTP/1.1\r\nAuthorization: Basic {credentials}\r\n{content}"


def make_creations(store: Store, account: Account, now: int) -> dict[str, Requests]:
    """The creations of every dialect by its name, with credentials made where the dialect has its own."""

    def credentials(tx: Tx) -> tuple[str, str]:
        user = ensure_credentials(tx, account, now).user
        return user.user_id, user.token.reveal()

    user_id, token = store.run(credentials)
    return {"plivo": plivo(account), "deepcall": deepcall(user_id, token), "native": native(account)}
