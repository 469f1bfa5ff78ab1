"""Rows of trunks."""

import json
from typing import Any, Final

from sqlalchemy import bindparam, select, update

from maskline.core.inventory import DialledFrom, Transport, Trunk, TrunkSettings
from maskline.core.secret import Secret

from .accounts import LISTED_ROW_COUNT_MAX
from .engine import Row, Tx
from .schema import trunk
from .statement import Statement, insert_row

_SETTINGS: Final = (
    "name",
    "peer_host",
    "peer_port",
    "transport",
    "accept",
    "media_networks",
    "country",
    "codecs",
    "is_trusted_for_identity",
    "dialled_from",
    "sends_asserted",
    "number_format",
    "username",
    "password_sealed",
    "max_calls",
)
_INSERT: Final = Statement(
    insert_row(trunk, *_SETTINGS, "created_at").on_conflict_do_nothing().returning(trunk.c.id)
)
_COLUMNS: Final = ("id", *_SETTINGS, "created_at")
_SELECT: Final = select(*(trunk.c[name] for name in _COLUMNS))
_SELECT_ALL: Final = Statement(_SELECT.order_by(trunk.c.id).limit(LISTED_ROW_COUNT_MAX))
_SELECT_BY_NAME: Final = Statement(_SELECT.where(trunk.c.name == bindparam("name")))
_MOVE: Final = Statement(
    update(trunk)
    .where(trunk.c.id == bindparam("id_"))
    .values(peer_host=bindparam("peer_host"), peer_port=bindparam("peer_port"), accept=bindparam("accept"))
)


def insert_trunk(tx: Tx, settings: TrunkSettings, now: int) -> int | None:
    """Insert a trunk; None when its name is taken."""
    password = settings.password
    row = tx.row(
        _INSERT,
        name=settings.name,
        peer_host=settings.peer_host,
        peer_port=settings.peer_port,
        transport=settings.transport,
        accept=json.dumps(settings.accept),
        media_networks=json.dumps(settings.media_networks),
        country=settings.country,
        codecs=json.dumps(settings.codecs),
        is_trusted_for_identity=settings.is_trusted_for_identity,
        dialled_from=settings.dialled_from,
        sends_asserted=settings.sends_asserted,
        number_format=settings.number_format,
        username=settings.username,
        password_sealed=None if password is None else tx.keys.seal(password.reveal(), _place(settings.name)),
        max_calls=settings.max_calls,
        created_at=now,
    )
    return None if row is None else int(row[0])


def load_trunks(tx: Tx) -> tuple[Trunk, ...]:
    """Load every trunk, oldest first."""
    return tuple(_trunk(tx, row) for row in tx.rows(_SELECT_ALL))


def load_trunk(tx: Tx, name: str) -> Trunk | None:
    """Load a trunk by name."""
    row = tx.row(_SELECT_BY_NAME, name=name)
    return None if row is None else _trunk(tx, row)


def update_peer(tx: Tx, id_: int, peer_host: str, peer_port: int, accept: tuple[str, ...]) -> bool:
    """Change where a trunk's peer is and whom it accepts; False when there is no such trunk."""
    count = tx.run(_MOVE, id_=id_, peer_host=peer_host, peer_port=peer_port, accept=json.dumps(accept))
    return count == 1


def _place(name: str) -> str:
    return f"trunk.password_sealed:{name}"


def _trunk(tx: Tx, row: Row) -> Trunk:
    it: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    sealed = it["password_sealed"]
    return Trunk(
        id=it["id"],
        name=it["name"],
        peer_host=it["peer_host"],
        peer_port=it["peer_port"],
        transport=Transport(it["transport"]),
        accept=tuple(json.loads(it["accept"])),
        media_networks=tuple(json.loads(it["media_networks"])),
        country=it["country"],
        codecs=tuple(json.loads(it["codecs"])),
        is_trusted_for_identity=bool(it["is_trusted_for_identity"]),
        dialled_from=DialledFrom(it["dialled_from"]),
        sends_asserted=bool(it["sends_asserted"]),
        number_format=it["number_format"],
        username=it["username"],
        password=None if sealed is None else Secret(tx.keys.unseal(sealed, _place(it["name"]))),
        max_calls=it["max_calls"],
        created_at=it["created_at"],
    )
