"""`maskline trunk ...`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

from cyclopts import App, Parameter

from maskline.cli.account import check_path_name
from maskline.cli.context import Context, found
from maskline.cli.remote import trunks as remote
from maskline.cli.trunk_options import TrunkOptions, change_settings, read_password
from maskline.cli.trunk_texts import networks_of, render_target
from maskline.clock import to_datetime
from maskline.core.inventory import Target, Trunk, TrunkSettings
from maskline.errors import InputError, RefusedError
from maskline.store.engine import Tx
from maskline.workflows.trunks import (
    TrunkExists,
    TrunkInUse,
    TrunkNotFound,
    TrunkRemoved,
    add_trunk,
    change_trunk,
    load_trunk_to_change,
    load_trunks,
    remove_trunk,
)

Options = Annotated[TrunkOptions, Parameter(name="*", help="What to set.")]


def add_commands(app: App, context: Context) -> None:
    """Register the group."""
    group = App(name="trunk", help="Interconnects with carriers.")
    app.command(group)

    @group.command(name="add")
    def add(name: str, /, *, options: Options = TrunkOptions()) -> None:  # noqa: B008  # it is frozen
        """Add a trunk; --peer or --target says where its calls go.

        Args:
            name: Letters, digits, and blanks, dots, lines and hyphens between them; unique.
        """
        if options.peer is None and not options.target:
            raise InputError("--peer or --target is needed")
        new = change_settings(TrunkSettings(name=check_path_name(name), targets=()), read_password(options))
        if not new.accept:
            new = replace(new, accept=networks_of(_all_targets(new)))
        trunk = context.perform(add_trunk, remote.add_trunk, new, context.clock.now())
        if isinstance(trunk, TrunkExists):
            msg = f"a trunk named {name!r} exists already"
            raise RefusedError(msg)
        context.answer(_describe(trunk), _summary(trunk))

    @group.command(name="set")
    def change(name: str, /, *, options: Options = TrunkOptions()) -> None:  # noqa: B008
        """Change a trunk; what is not named stays.

        A running service follows within a second.

        Args:
            name: The trunk's name.
        """
        trunk = context.perform(_change, remote.change_trunk, name, change=_changer(read_password(options)))
        context.answer(_describe(trunk), _summary(trunk))

    @group.command(name="list")
    def list_all() -> None:
        """List trunks, without their passwords."""
        rows = [_describe(trunk) for trunk in context.perform(load_trunks, remote.list_trunks)]
        context.answer_table(rows, ("name", "targets", "accept", "country"), "There are no trunks.")

    @group.command(name="remove")
    def remove(name: str, /) -> None:
        """Remove a trunk that delivers no number any more.

        A running service forgets it within a second.

        Args:
            name: The trunk's name.
        """
        match context.perform(remove_trunk, remote.remove_trunk, name, context.clock.now()):
            case TrunkNotFound():
                found(None, "trunk", name)
            case TrunkInUse():
                raise RefusedError("numbers are on the trunk; remove them first")
            case TrunkRemoved():
                context.answer({"name": name, "is_removed": True}, f"trunk {name} removed")


def _changer(options: TrunkOptions) -> Callable[[Trunk], Trunk]:
    """What the options make of a trunk. Raises InputError."""

    def change(known: Trunk) -> Trunk:
        changed = change_settings(known, options)
        assert isinstance(changed, Trunk)
        return changed

    return change


def _change(tx: Tx, name: str, *, change: Callable[[Trunk], Trunk]) -> Trunk:
    changed = change(found(load_trunk_to_change(tx, name), "trunk", name))
    change_trunk(tx, changed)
    return changed


def _all_targets(settings: TrunkSettings) -> tuple[Target, ...]:
    registrar = None if settings.registration is None else settings.registration.registrar
    return settings.targets if registrar is None else (*settings.targets, registrar)


def _summary(trunk: Trunk) -> str:
    targets = ", ".join(map(render_target, trunk.targets))
    return f"trunk {trunk.name} to {targets}, accepting {', '.join(trunk.accept)}"


def _describe(trunk: Trunk) -> dict[str, object]:
    registration = trunk.registration
    registrar = None if registration is None else registration.registrar
    return {
        "name": trunk.name,
        "targets": [render_target(target) for target in trunk.targets],
        "accept": list(trunk.accept),
        "media_networks": list(trunk.media_networks),
        "country": trunk.country,
        "codecs": list(trunk.codecs),
        "number_format": trunk.number_format.value,
        "caller_format": None if trunk.caller_format is None else trunk.caller_format.value,
        "dial_prefix": trunk.dial_prefix,
        "sends_user_phone": trunk.sends_user_phone,
        "is_trusted_for_identity": trunk.is_trusted_for_identity,
        "dialled_from": trunk.dialled_from.value,
        "sends_asserted": trunk.sends_asserted,
        "from_host": trunk.from_host,
        "username": trunk.username,
        "realm": trunk.realm,
        "registers": registration is not None,
        "registrar": None if registrar is None else render_target(registrar),
        "register_expires_s": None if registration is None else registration.expires_s,
        "has_health_check": trunk.has_health_check,
        "max_calls": trunk.max_calls,
        "created_at": to_datetime(trunk.created_at).isoformat(),
    }
