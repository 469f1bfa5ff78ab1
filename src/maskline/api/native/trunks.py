"""Trunks over the native interface: the operator's."""

from dataclasses import replace
from typing import Any, Final

from starlette.responses import Response

from maskline.api.native.errors import NativeError, refuse_field
from maskline.api.native.kernel import NativeKernel, refuse, reply
from maskline.api.native.models.common import ListOf, ListQuery, instant
from maskline.api.native.models.trunks import (
    NewTrunk,
    RegistrationModel,
    RegistrationView,
    TargetModel,
    TargetView,
    TrunkChanges,
    TrunkView,
)
from maskline.api.native.paging import page_of, read_cursor
from maskline.api.native.routes import Asked, Route
from maskline.core.access import Permission, Reach
from maskline.core.inventory import Registration, Target, Trunk, TrunkSettings
from maskline.core.targets import parse_literal
from maskline.core.trunk_text import read_network
from maskline.store.engine import Tx
from maskline.workflows.trunks import (
    TrunkExists,
    TrunkInUse,
    TrunkNotFound,
    TrunkRemoved,
    add_trunk,
    change_trunk,
    list_trunk_page,
    load_trunk,
    load_trunk_to_change,
    remove_trunk,
)

_LIST: Final = "trunks"
_OPTIONAL: Final = frozenset({"caller_format", "from_host", "username", "password", "realm", "max_calls"})
"""Settings that null takes away."""
_PLAIN: Final = frozenset(
    {
        "country",
        "number_format",
        "dial_prefix",
        "sends_user_phone",
        "dialled_from",
        "sends_asserted",
    }
)
_FLAGS: Final = {"trusted_for_identity": "is_trusted_for_identity", "health_check": "has_health_check"}
"""Settings that the interface names without the prefix of ours."""


class TrunksAPI:
    """Operations on trunks."""

    def __init__(self, kernel: NativeKernel) -> None:
        self._kernel = kernel

    async def list_trunks(self, asked: Asked) -> Response:
        """List trunks, newest first, without their passwords."""
        query = asked.query(ListQuery)
        key = read_cursor(_LIST, query.after, int)
        before = None if key is None else int(key[0])
        found = await self._kernel.store.read(list_trunk_page, before, query.limit + 1)
        return reply(200, page_of(_LIST, found, query.limit, render=_render, key=lambda it: (it.id,)))

    async def add_trunk(self, asked: Asked) -> Response:
        """Add a trunk; a running service takes it within a second."""
        wanted = asked.read(NewTrunk)
        settings = change_settings(TrunkSettings(name=wanted.name, targets=()), wanted)
        if isinstance(settings, NativeError):
            raise settings
        return await self._kernel.write(asked, add_trunk, _tell_added, settings, self._kernel.clock.now())

    async def get_trunk(self, asked: Asked) -> Response:
        """Show one trunk, without its password."""
        found = await self._kernel.store.read(load_trunk, asked.name())
        if found is None:
            raise NativeError("not-found")
        return reply(200, _render(found))

    async def change_trunk(self, asked: Asked) -> Response:
        """Change a trunk; a running service follows within a second."""
        wanted = asked.read(TrunkChanges)
        outcome = await self._kernel.store.write(_change, asked.name(), wanted)
        if isinstance(outcome, NativeError):
            raise outcome
        return reply(200, _render(outcome))

    async def remove_trunk(self, asked: Asked) -> Response:
        """Remove a trunk that delivers no number any more."""
        outcome = await self._kernel.store.write(remove_trunk, asked.name(), self._kernel.clock.now())
        match outcome:
            case TrunkNotFound():
                raise NativeError("not-found")
            case TrunkInUse(number_count=count):
                raise NativeError("trunk-in-use", f"Numbers on it: {count}.")
            case TrunkRemoved():
                return reply(204)


def change_settings(settings: TrunkSettings, wanted: TrunkChanges) -> TrunkSettings | NativeError:
    """Give a trunk what is wanted; a refusal is for what does not fit together."""
    given = wanted.model_fields_set
    changes: dict[str, Any] = {
        name: getattr(wanted, name)
        for name in given & (_PLAIN | _OPTIONAL)
        if name in _OPTIONAL or getattr(wanted, name) is not None
    }
    for name, own_name in _FLAGS.items():
        if getattr(wanted, name) is not None:
            changes[own_name] = getattr(wanted, name)
    for name in given & {"media_networks", "codecs", "accept"}:
        value = getattr(wanted, name)
        if value is not None:
            changes[name] = tuple(dict.fromkeys(value))
    if wanted.targets is not None:
        changes["targets"] = tuple(_target(it) for it in wanted.targets)
    if "registration" in given:
        changes["registration"] = _registration(wanted.registration)
    return _check(replace(settings, **changes))


def _check(settings: TrunkSettings) -> TrunkSettings | NativeError:
    places = [replace(it, priority=0, weight=0) for it in settings.targets]
    if len(set(places)) < len(places):
        return refuse_field("/targets", "repeated", "A target may stand once.")
    if (settings.username is None) != (settings.password is None):
        return refuse_field("/password", "incomplete", "Username and password belong together.")
    if settings.registration is not None and settings.username is None:
        return refuse_field("/registration", "incomplete", "To register takes username and password.")
    if settings.accept:
        return settings
    registrar = None if settings.registration is None else settings.registration.registrar
    hosts = [it.host for it in (*settings.targets, *([] if registrar is None else [registrar]))]
    networks = [read_network(it) for it in hosts if parse_literal(it) is not None]
    if len(networks) < len(hosts):
        detail = "Where calls may come from is needed where a target is a name."
        return refuse_field("/accept", "missing", detail)
    return replace(settings, accept=tuple(dict.fromkeys(it for it in networks if it is not None)))


def _target(model: TargetModel) -> Target:
    return Target(
        host=model.host,
        port=model.port,
        transport=model.transport,
        priority=model.priority,
        weight=model.weight,
    )


def _registration(model: RegistrationModel | None) -> Registration | None:
    if model is None:
        return None
    registrar = None if model.registrar is None else _target(model.registrar)
    return Registration(registrar=registrar, expires_s=model.expires_s)


def _change(tx: Tx, name: str, wanted: TrunkChanges) -> Trunk | NativeError:
    known = load_trunk_to_change(tx, name)
    if known is None:
        return NativeError("not-found")
    changed = change_settings(known, wanted)
    if isinstance(changed, NativeError):
        return changed
    assert isinstance(changed, Trunk), "a changed trunk is one still"
    return changed if change_trunk(tx, changed) else NativeError("not-found")


def _tell_added(outcome: Trunk | TrunkExists) -> Response:
    if isinstance(outcome, TrunkExists):
        return refuse(NativeError("trunk-exists"))
    return reply(201, _render(outcome))


def _render(trunk: Trunk) -> TrunkView:
    registration = trunk.registration
    return TrunkView(
        name=trunk.name,
        targets=[_render_target(it) for it in trunk.targets],
        accept=list(trunk.accept),
        media_networks=list(trunk.media_networks),
        country=trunk.country,
        codecs=list(trunk.codecs),
        number_format=trunk.number_format,
        caller_format=trunk.caller_format,
        dial_prefix=trunk.dial_prefix,
        sends_user_phone=trunk.sends_user_phone,
        dialled_from=trunk.dialled_from,
        trusted_for_identity=trunk.is_trusted_for_identity,
        sends_asserted=trunk.sends_asserted,
        from_host=trunk.from_host,
        username=trunk.username,
        password_set=trunk.password is not None,
        realm=trunk.realm,
        registration=None if registration is None else _render_registration(registration),
        health_check=trunk.has_health_check,
        max_calls=trunk.max_calls,
        created_at=instant(trunk.created_at),
    )


def _render_registration(registration: Registration) -> RegistrationView:
    registrar = registration.registrar
    return RegistrationView(
        registrar=None if registrar is None else _render_target(registrar), expires_s=registration.expires_s
    )


def _render_target(target: Target) -> TargetView:
    return TargetView(
        host=target.host,
        port=target.port,
        transport=target.transport,
        priority=target.priority,
        weight=target.weight,
    )


def trunk_routes(api: TrunksAPI) -> tuple[Route, ...]:
    """The rows of the table."""
    return (
        Route(
            path="/trunks",
            method="GET",
            name="list_trunks",
            operation=api.list_trunks,
            permission=Permission.TRUNKS_READ,
            reach=Reach.OPERATOR,
            query=ListQuery,
            response=ListOf[TrunkView],
        ),
        Route(
            path="/trunks",
            method="POST",
            name="add_trunk",
            operation=api.add_trunk,
            permission=Permission.TRUNKS_WRITE,
            reach=Reach.OPERATOR,
            request=NewTrunk,
            response=TrunkView,
            status=201,
            problems=("trunk-exists",),
        ),
        Route(
            path="/trunks/{name}",
            method="GET",
            name="get_trunk",
            operation=api.get_trunk,
            permission=Permission.TRUNKS_READ,
            reach=Reach.OPERATOR,
            response=TrunkView,
        ),
        Route(
            path="/trunks/{name}",
            method="PATCH",
            name="change_trunk",
            operation=api.change_trunk,
            permission=Permission.TRUNKS_WRITE,
            reach=Reach.OPERATOR,
            request=TrunkChanges,
            response=TrunkView,
        ),
        Route(
            path="/trunks/{name}",
            method="DELETE",
            name="remove_trunk",
            operation=api.remove_trunk,
            permission=Permission.TRUNKS_WRITE,
            reach=Reach.OPERATOR,
            status=204,
            problems=("trunk-in-use",),
        ),
    )
