"""Add, change and list trunks."""

from dataclasses import dataclass, fields

from maskline.core.inventory import Trunk, TrunkSettings
from maskline.store import trunks as rows
from maskline.store.engine import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkExists:
    """A trunk of that name is there already."""


def add_trunk(tx: Tx, settings: TrunkSettings, now: int) -> Trunk | TrunkExists:
    """Add a trunk as it is described; an empty `accept` is the caller's to fill from the targets' addresses."""
    id_ = rows.insert_trunk(tx, settings, now)
    if id_ is None:
        return TrunkExists()
    given = {field.name: getattr(settings, field.name) for field in fields(TrunkSettings)}
    return Trunk(id=id_, created_at=now, **given)


def change_trunk(tx: Tx, trunk: Trunk) -> bool:
    """Give a trunk the settings of `trunk`; False when there is none of its id and name."""
    return rows.update_trunk(tx, trunk.id, trunk)


def load_trunks(tx: Tx) -> tuple[Trunk, ...]:
    """Load every trunk, oldest first."""
    return rows.load_trunks(tx)


def load_trunk(tx: Tx, name: str) -> Trunk | None:
    """Load the trunk of this name."""
    return rows.load_trunk(tx, name)
