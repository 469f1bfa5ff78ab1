"""Masking sessions over the native interface.

PINs are told to callers who may write sessions: who makes one needs what was drawn, who only looks on does not.
"""

from collections.abc import Callable
from typing import Final

from starlette.responses import Response

from maskline.api.native.errors import NativeError
from maskline.api.native.kernel import NativeKernel, refuse, reply
from maskline.api.native.models.common import ListOf
from maskline.api.native.models.sessions import NewSession, Session, SessionQuery, SessionUpdate
from maskline.api.native.paging import make_cursor, read_cursor
from maskline.api.native.queries import find_subaccount, open_span
from maskline.api.native.routes import Asked, Route
from maskline.api.native.session_mapping import (
    build_changes,
    build_new_session,
    change_refusal,
    creation_refusal,
    render_session,
)
from maskline.core.access import Permission, Reach, is_granted
from maskline.core.listing import PageKey, SessionListFilter
from maskline.core.masking import MaskingSession, SessionCreated, SessionNotFound
from maskline.core.pin import PIN_LIMITS, PinLimits
from maskline.workflows.own_sessions import (
    CreationRefused,
    change_own_session,
    create_own_session,
    end_own_session,
    list_own_sessions,
    load_own_session,
)

_LIST: Final = "sessions"
_CREATION_PROBLEMS: Final = ("pair-live", "parties-equal", "party-is-virtual", "pool-exhausted")
_CHANGE_PROBLEMS: Final = (
    "parties-equal",
    "party-fixed",
    "party-is-virtual",
    "party-occupied",
    "session-ended",
)


class SessionsAPI:
    """Operations on sessions; a sub-account's credentials see its own."""

    def __init__(self, kernel: NativeKernel, *, pin_limits: PinLimits = PIN_LIMITS) -> None:
        self._kernel = kernel
        self._pin_limits = pin_limits

    async def create_session(self, asked: Asked) -> Response:
        """Make a session, or change the live one of the pair.

        Answers 201 for a new session and 200 for one that was there, as `on_repeat` wants it. Callbacks take
        `calls:read` too, those of recordings also `recordings:read`.
        """
        wanted = asked.read(NewSession)
        _check_receivers(asked, wanted)
        now = self._kernel.clock.now()
        tell = _teller(asked, now)

        def render(outcome: SessionCreated | CreationRefused) -> Response:
            if isinstance(outcome, SessionCreated):
                return reply(201 if outcome.is_new else 200, tell(outcome.session))
            return refuse(creation_refusal(outcome))

        return await self._kernel.write(
            asked,
            create_own_session,
            render,
            asked.account,
            build_new_session(wanted),
            now,
            self._pin_limits,
            pool=wanted.pool,
            subaccount=wanted.subaccount,
        )

    async def list_sessions(self, asked: Asked) -> Response:
        """List sessions, newest first."""
        query = asked.query(SessionQuery)
        now = self._kernel.clock.now()
        key = read_cursor(_LIST, query.after, int, str)
        wanted = SessionListFilter(
            account_id=asked.account.id,
            subaccount_id=await find_subaccount(self._kernel.store, asked.account, query.subaccount),
            first=query.first,
            second=query.second,
            virtual_number=query.virtual_number,
            reference=query.reference,
            status=query.status,
            created_at=open_span(query.created_after, query.created_before),
            before=None if key is None else PageKey(*key),  # type: ignore[arg-type]  # checked by `read_cursor`
            limit=query.limit,
        )
        page = await self._kernel.store.read(list_own_sessions, asked.account, wanted, now)
        tell = _teller(asked, now)
        last = page.sessions[-1] if page.has_more else None
        return reply(
            200,
            ListOf[Session](
                data=[tell(it) for it in page.sessions],
                next=None if last is None else make_cursor(_LIST, (last.created_at, last.id)),
                has_more=page.has_more,
            ),
        )

    async def get_session(self, asked: Asked) -> Response:
        """Show a session."""
        found = await self._kernel.store.read(load_own_session, asked.account, asked.path())
        if isinstance(found, SessionNotFound):
            raise NativeError("not-found")
        return reply(200, _teller(asked, self._kernel.clock.now())(found))

    async def update_session(self, asked: Asked) -> Response:
        """Change a live session: what is absent stays.

        Callbacks take `calls:read` too, those of recordings also `recordings:read`.
        """
        wanted = asked.read(SessionUpdate)
        _check_receivers(asked, wanted)
        changes = build_changes(wanted)
        now = self._kernel.clock.now()
        outcome = await self._kernel.store.write(
            change_own_session, asked.account, asked.path(), changes, now
        )
        if not isinstance(outcome, MaskingSession):
            raise change_refusal(outcome)
        return reply(200, _teller(asked, now)(outcome))

    async def end_session(self, asked: Asked) -> Response:
        """End a session now; the answer is the ended session. Calls that are not joined yet are cancelled."""
        now = self._kernel.clock.now()
        outcome = await self._kernel.store.write(end_own_session, asked.account, asked.path(), now)
        if not isinstance(outcome, MaskingSession):
            raise change_refusal(outcome)
        return reply(200, _teller(asked, now)(outcome))


def _check_receivers(asked: Asked, wanted: NewSession | SessionUpdate) -> None:
    """Let nobody be sent what they may not read. Raises NativeError."""
    permissions = asked.caller.permissions
    told = wanted.callback_url or wanted.recording_callback_url
    if told and not is_granted(permissions, Permission.CALLS_READ):
        raise NativeError("not-permitted", "People's numbers take calls:read, and callbacks have them.")
    if wanted.recording_callback_url and not is_granted(permissions, Permission.RECORDINGS_READ):
        raise NativeError("not-permitted", "Links to recordings take recordings:read.")


def _teller(asked: Asked, now: int) -> Callable[[MaskingSession], Session]:
    """What makes views of sessions for whoever asks."""
    shows_pins = is_granted(asked.caller.permissions, Permission.SESSIONS_WRITE)
    return lambda session: render_session(session, now, shows_pins=shows_pins)


def session_routes(api: SessionsAPI) -> tuple[Route, ...]:
    """The rows of the table."""
    return (
        Route(
            path="/sessions",
            method="POST",
            name="create_session",
            operation=api.create_session,
            permission=Permission.SESSIONS_WRITE,
            reach=Reach.SUBACCOUNT,
            request=NewSession,
            response=Session,
            status=201,
            problems=_CREATION_PROBLEMS,
        ),
        Route(
            path="/sessions",
            method="GET",
            name="list_sessions",
            operation=api.list_sessions,
            permission=Permission.SESSIONS_READ,
            reach=Reach.SUBACCOUNT,
            query=SessionQuery,
            response=ListOf[Session],
        ),
        Route(
            path="/sessions/{id}",
            method="GET",
            name="get_session",
            operation=api.get_session,
            permission=Permission.SESSIONS_READ,
            reach=Reach.SUBACCOUNT,
            response=Session,
        ),
        Route(
            path="/sessions/{id}",
            method="PATCH",
            name="update_session",
            operation=api.update_session,
            permission=Permission.SESSIONS_WRITE,
            reach=Reach.SUBACCOUNT,
            request=SessionUpdate,
            response=Session,
            problems=_CHANGE_PROBLEMS,
        ),
        Route(
            path="/sessions/{id}",
            method="DELETE",
            name="end_session",
            operation=api.end_session,
            permission=Permission.SESSIONS_WRITE,
            reach=Reach.SUBACCOUNT,
            response=Session,
            problems=("session-ended",),
        ),
    )
