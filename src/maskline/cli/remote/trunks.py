"""Trunks elsewhere. Passwords are only ever sent."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from maskline.clock import from_datetime
from maskline.core.inventory import Registration, Target, Trunk, TrunkSettings
from maskline.core.secret import Secret
from maskline.errors import RefusedError
from maskline.workflows.trunks import TrunkExists, TrunkInUse, TrunkNotFound, TrunkRemoved

if TYPE_CHECKING:
    from maskline.api.native.models.trunks import TargetView, TrunkView
    from maskline.client import Client

_UNTOLD = Secret("")
"""Stands for a password that is there and that the service does not tell."""


def add_trunk(client: "Client", new: TrunkSettings, now: int) -> Trunk | TrunkExists:
    """Add a trunk."""
    from maskline.client import ConflictError  # noqa: PLC0415  # slow to load; most commands are local

    try:
        return _trunk(client.trunks.create(name=new.name, **_members(new)))
    except ConflictError:
        return TrunkExists()


def change_trunk(client: "Client", name: str, *, change: Callable[[Trunk], Trunk]) -> Trunk:
    """Change a trunk."""
    from maskline.client import NotFoundError  # noqa: PLC0415  # as above

    try:
        known = _trunk(client.trunks.get(name))
        return _trunk(client.trunks.update(name, **_members(change(known))))
    except NotFoundError:
        raise RefusedError(f"there is no trunk {name!r}") from None


def list_trunks(client: "Client") -> tuple[Trunk, ...]:
    """Trunks, oldest first."""
    return tuple(_trunk(it) for it in client.trunks.list())[::-1]


def remove_trunk(client: "Client", name: str, now: int) -> TrunkRemoved | TrunkNotFound | TrunkInUse:
    """Remove a trunk without numbers."""
    from maskline.client import ConflictError, NotFoundError  # noqa: PLC0415  # slow to load

    try:
        client.trunks.delete(name)
    except NotFoundError:
        return TrunkNotFound()
    except ConflictError:
        return TrunkInUse(number_count=1)  # at least; how many is not told apart from words
    return TrunkRemoved()


def _members(settings: TrunkSettings) -> dict[str, Any]:
    """All settings as the interface has them; a password that is not known is left out."""
    from maskline.api.native.models.trunks import RegistrationModel  # noqa: PLC0415  # slow to load

    registration = settings.registration
    members: dict[str, Any] = {
        "targets": [_target(it) for it in settings.targets],
        "accept": list(settings.accept),
        "media_networks": list(settings.media_networks),
        "country": settings.country,
        "codecs": list(settings.codecs),
        "number_format": settings.number_format,
        "caller_format": settings.caller_format,
        "dial_prefix": settings.dial_prefix,
        "sends_user_phone": settings.sends_user_phone,
        "dialled_from": settings.dialled_from,
        "trusted_for_identity": settings.is_trusted_for_identity,
        "sends_asserted": settings.sends_asserted,
        "from_host": settings.from_host,
        "username": settings.username,
        "realm": settings.realm,
        "registration": None
        if registration is None
        else RegistrationModel(
            registrar=None if registration.registrar is None else _target(registration.registrar),
            expires_s=registration.expires_s,
        ),
        "health_check": settings.has_health_check,
        "max_calls": settings.max_calls,
    }
    return members if settings.password == _UNTOLD else {**members, "password": settings.password}


def _target(target: Target) -> Any:
    from maskline.api.native.models.trunks import TargetModel  # noqa: PLC0415  # as above

    return TargetModel(
        host=target.host,
        port=target.port,
        transport=target.transport,
        priority=target.priority,
        weight=target.weight,
    )


def _trunk(view: "TrunkView") -> Trunk:
    registration = view.registration
    return Trunk(
        id=0,
        name=view.name,
        targets=tuple(_known_target(it) for it in view.targets),
        accept=tuple(view.accept),
        media_networks=tuple(view.media_networks),
        country=view.country,
        codecs=tuple(view.codecs),
        is_trusted_for_identity=view.trusted_for_identity,
        dialled_from=view.dialled_from,
        sends_asserted=view.sends_asserted,
        number_format=view.number_format,
        caller_format=view.caller_format,
        dial_prefix=view.dial_prefix,
        sends_user_phone=view.sends_user_phone,
        from_host=view.from_host,
        username=view.username,
        password=_UNTOLD if view.password_set else None,
        realm=view.realm,
        registration=None
        if registration is None
        else Registration(
            registrar=None if registration.registrar is None else _known_target(registration.registrar),
            expires_s=registration.expires_s,
        ),
        has_health_check=view.health_check,
        max_calls=view.max_calls,
        created_at=from_datetime(view.created_at),
    )


def _known_target(view: "TargetView") -> Target:
    return Target(
        host=view.host,
        port=view.port,
        transport=view.transport,
        priority=view.priority,
        weight=view.weight,
    )
