"""Add, change and list trunks."""

from dataclasses import dataclass, fields

from maskline.core.inventory import Trunk, TrunkSettings
from maskline.store import trunks as rows
from maskline.store.engine import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkExists:
    """A trunk of that name is there already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkNotFound:
    """There is no trunk of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkInUse:
    """The trunk delivers numbers of the inventory; nothing was changed."""

    number_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkRemoved:
    """The trunk is gone."""


def add_trunk(tx: Tx, settings: TrunkSettings, now: int) -> Trunk | TrunkExists:
    """Add a trunk as it is described; an empty `accept` is the caller's to fill from the targets' addresses."""
    id_ = rows.insert_trunk(tx, settings, now)
    if id_ is None:
        return TrunkExists()
    given = {field.name: getattr(settings, field.name) for field in fields(TrunkSettings)}
    return Trunk(id=id_, created_at=now, **given)


def load_trunk_to_change(tx: Tx, name: str) -> Trunk | None:
    """Load the trunk of this name; nobody else changes it until the transaction ends."""
    return None if rows.lock_trunk(tx, name) is None else rows.load_trunk(tx, name)


def change_trunk(tx: Tx, trunk: Trunk) -> bool:
    """Give a trunk all the settings of `trunk`, which was loaded to be changed; False when there is none of its name.

    Its id must be the same, too.
    """
    return rows.update_trunk(tx, trunk.id, trunk)


def remove_trunk(tx: Tx, name: str, now: int) -> TrunkRemoved | TrunkNotFound | TrunkInUse:
    """Remove a trunk that delivers no number any more; a running service forgets it within a second."""
    trunk_id = rows.lock_trunk(tx, name)
    if trunk_id is None:
        return TrunkNotFound()
    if count := rows.count_numbers(tx, trunk_id):
        return TrunkInUse(number_count=count)
    rows.remove_trunk(tx, trunk_id, now)
    return TrunkRemoved()


def lock_trunk(tx: Tx, name: str) -> int | None:
    """Keep a trunk from being removed until the transaction ends, and say its id; None when there is none."""
    return rows.lock_trunk(tx, name)


def list_trunk_page(tx: Tx, before: int | None, limit: int) -> tuple[Trunk, ...]:
    """List trunks, newest first, beginning below the internal id `before`."""
    return rows.load_trunk_page(tx, before, limit)


def load_trunks(tx: Tx) -> tuple[Trunk, ...]:
    """Load every trunk, oldest first."""
    return rows.load_trunks(tx)


def load_trunk(tx: Tx, name: str) -> Trunk | None:
    """Load the trunk of this name."""
    return rows.load_trunk(tx, name)
