"""The operations on masking sessions, on the current path and the legacy one."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from maskline.api.body import read_body
from maskline.api.plivo import errors, fields, listing, mapping, wire
from maskline.api.plivo.kernel import PREFIX, PlivoAPI, PlivoRoute, auth_id_of, read_uuid
from maskline.core.allocation import PoolExhausted
from maskline.core.inventory import Account
from maskline.core.masking import (
    MaskingSession,
    PairIsLive,
    PartyIsVirtual,
    PartyOccupied,
    Role,
    SessionAlreadyExpired,
    SessionCreated,
    SessionNotFound,
)
from maskline.workflows.create_masking_session import create_masking_session
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.list_masking_sessions import list_masking_sessions
from maskline.workflows.load_masking_session import load_masking_session
from maskline.workflows.update_masking_session import update_masking_session


class SessionAPI:
    """Each operation takes a request and returns its answer or raises PlivoError."""

    def __init__(self, api: PlivoAPI) -> None:
        self._api = api
        self._store = api.store
        self._clock = api.clock

    def routes(self) -> tuple[PlivoRoute, ...]:
        """What is served where."""
        one, legacy = "Masking/Session/{session_uuid}", "Session/{session_uuid}"
        return (
            PlivoRoute("Masking/Session", ("POST",), "create", self.create),
            PlivoRoute("Masking/Session", ("GET",), "list", self.list),
            PlivoRoute(one, ("GET",), "get", self.get),
            PlivoRoute(one, ("POST",), "update", self.update),
            PlivoRoute(one, ("DELETE",), "delete", self.delete),
            PlivoRoute("Session", ("POST",), "create_legacy", self.create_legacy),
            PlivoRoute(legacy, ("POST",), "update_legacy", self.update),
            PlivoRoute(legacy, ("DELETE",), "delete_legacy", self.delete_legacy),
        )

    async def create(self, request: Request) -> Response:
        """POST Masking/Session/."""
        account, created, now = await self._create(request, has_geomatch=True)
        session = created.session
        return self._api.reply(
            201,
            {
                "session_uuid": session.id,
                "virtual_number": session.virtual_number,
                "message": "Session created",
                "session": self._render(session, account, now),
            },
        )

    async def create_legacy(self, request: Request) -> Response:
        """POST Session/: no geomatch, no session object."""
        _, created, _ = await self._create(request, has_geomatch=False)
        session = created.session
        return self._api.reply(
            201,
            {
                "session_uuid": session.id,
                "virtual_number": session.virtual_number,
                "message": "Session Created",
            },
        )

    async def get(self, request: Request) -> Response:
        """GET Masking/Session/{uuid}/."""
        account = await self._api.authenticate(request)
        session = await self._load(account, read_uuid(request, "session_uuid"))
        return self._api.reply(200, {"response": self._render(session, account, self._clock.now())})

    async def list(self, request: Request) -> Response:
        """GET Masking/Session/."""
        account = await self._api.authenticate(request)
        now = self._clock.now()
        query = listing.parse_query(request.scope["query_string"], country=account.country, now=now)
        subaccount_id = await self._api.find_subaccount(account, query.subaccount)
        wanted = replace(query.filter, subaccount_id=subaccount_id)
        page = await self._store.read(list_masking_sessions, account, wanted, now)
        auth_id = auth_id_of(account)
        objects = [
            mapping.render_listed_session(self._render(session, account, now), auth_id=auth_id)
            for session in page.sessions
        ]
        path = f"{PREFIX}/Account/{auth_id}/Masking/Session/"
        meta = listing.render_meta(query, path, page.total_count)
        return self._api.reply(200, {"response": {"meta": meta, "objects": objects}})

    async def update(self, request: Request) -> Response:
        """POST Masking/Session/{uuid}/, and Session/{uuid}/: both answer with the session."""
        account = await self._api.authenticate(request)
        session_id = read_uuid(request, "session_uuid")
        before = await self._load(account, session_id)
        body = await read_body(request, fields.BODY_BYTES_MAX)
        wanted = wire.parse_update(body, has_parties=before.is_single_party is True)
        changes = mapping.build_changes(wanted, account)
        now = self._clock.now()
        outcome = await self._store.write(update_masking_session, account, session_id, changes, now)
        match outcome:
            case MaskingSession():
                session = self._render(outcome, account, now)
                return self._api.reply(200, {"message": "Session updated", "session": session})
            case SessionNotFound():
                raise errors.PlivoError(404, errors.NOT_FOUND)
            case SessionAlreadyExpired():
                raise errors.PlivoError(400, errors.SESSION_EXPIRED)
            case PartyIsVirtual(role=role):
                raise errors.not_a_phone_number(_party_name(role))
            case PartyOccupied(role=role):
                raise errors.party_occupied(_party_name(role))

    async def delete(self, request: Request) -> Response:
        """DELETE Masking/Session/{uuid}/."""
        await self._end(request)
        return self._api.reply(200, {"message": "Session expired"})

    async def delete_legacy(self, request: Request) -> Response:
        """DELETE Session/{uuid}/."""
        await self._end(request)
        return self._api.reply(200, {"message": "Session Deleted"})

    def _render(self, session: MaskingSession, account: Account, now: int) -> dict[str, object]:
        return mapping.render_session(
            session, auth_id=auth_id_of(account), public_url=self._api.settings.public_url, now=now
        )

    async def _create(self, request: Request, *, has_geomatch: bool) -> tuple[Account, SessionCreated, int]:
        account = await self._api.authenticate(request)
        wanted = wire.parse_create(await read_body(request, fields.BODY_BYTES_MAX))
        subaccount_id = await self._api.find_subaccount(account, wanted.subaccount)
        new = mapping.build_new_session(
            wanted, account, subaccount_id=subaccount_id, has_geomatch=has_geomatch
        )
        now = self._clock.now()
        outcome = await self._store.write(
            create_masking_session, account, new, now, self._api.settings.pin_limits
        )
        match outcome:
            case SessionCreated():
                return account, outcome, now
            case PoolExhausted():
                raise errors.PlivoError(400, errors.POOL_EXHAUSTED)
            case PairIsLive():
                raise AssertionError  # a repeated creation updates
            case PartyIsVirtual(role=role):
                raise errors.not_a_phone_number(_party_name(role))

    async def _load(self, account: Account, session_id: str) -> MaskingSession:
        """A session of the account; a sub-account sees only its own."""
        session = await self._store.read(load_masking_session, account, session_id)
        own = account.subaccount
        if isinstance(session, SessionNotFound) or (own is not None and session.subaccount_id != own.id):
            raise errors.PlivoError(404, errors.NOT_FOUND)
        return session

    async def _end(self, request: Request) -> None:
        account = await self._api.authenticate(request)
        session_id = read_uuid(request, "session_uuid")
        if account.subaccount is not None:
            await self._load(account, session_id)
        outcome = await self._store.write(end_masking_session, account, session_id, self._clock.now())
        match outcome:
            case SessionNotFound():
                raise errors.PlivoError(404, errors.NOT_FOUND)
            case SessionAlreadyExpired():
                raise errors.PlivoError(400, errors.SESSION_EXPIRED)
            case MaskingSession():
                return


def _party_name(role: Role) -> str:
    return "second_party" if role is Role.SECOND else "first_party"
