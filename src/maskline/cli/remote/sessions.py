"""Sessions and their calls elsewhere."""

from itertools import islice
from typing import TYPE_CHECKING

from maskline.cli.remote.owners import act_for
from maskline.core.masking import SessionStatus

if TYPE_CHECKING:
    from maskline.api.native.models.calls import Call
    from maskline.api.native.models.sessions import NewSession, Session
    from maskline.client import Client


def create_session(client: "Client", account: str, wanted: "NewSession", now: int) -> "Session":
    """Make a session, or change the live one of the pair."""
    given = {name: getattr(wanted, name) for name in wanted.model_fields_set}
    return act_for(client, account).sessions.create(**given)


def load_session(client: "Client", account: str, session: str, now: int) -> "Session | None":
    """A session; None when there is none of this id."""
    from maskline.client import NotFoundError  # noqa: PLC0415  # slow to load; most commands are local

    try:
        return act_for(client, account).sessions.get(session)
    except NotFoundError:
        return None


def list_sessions(
    client: "Client",
    account: str,
    *,
    status: SessionStatus | None,
    reference: str | None,
    limit: int,
    now: int,
) -> "tuple[Session, ...]":
    """Sessions, newest first."""
    found = act_for(client, account).sessions.list(status=status, reference=reference)
    return tuple(islice(found, limit))


def end_session(client: "Client", account: str, session: str, now: int) -> "Session | None":
    """End a session; None when there is none of this id."""
    from maskline.client import NotFoundError  # noqa: PLC0415  # as above

    try:
        return act_for(client, account).sessions.end(session)
    except NotFoundError:
        return None


def list_calls(client: "Client", account: str, session: str, limit: int, now: int) -> "tuple[Call, ...]":
    """A session's finished calls, newest first."""
    return tuple(islice(act_for(client, account).calls.list(session_id=session), limit))
