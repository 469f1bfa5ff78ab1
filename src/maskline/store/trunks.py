"""Rows of trunks."""

import json
from collections import defaultdict
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, select, update

from maskline.core.inventory import (
    DialledFrom,
    NumberFormat,
    Registration,
    Target,
    Transport,
    Trunk,
    TrunkSettings,
)
from maskline.core.secret import Secret

from .accounts import ID_MAX, LISTED_ROW_COUNT_MAX
from .engine import Row, Tx
from .schema import trunk, virtual_number
from .schema_trunks import trunk_target
from .statement import Statement, insert_row

TARGET_COUNT_MAX: Final = 16
"""Targets of one trunk: carriers name a handful, and each is checked every half minute."""
_PLAIN: Final = (
    "name",
    "country",
    "is_trusted_for_identity",
    "sends_asserted",
    "dial_prefix",
    "sends_user_phone",
    "from_host",
    "username",
    "realm",
    "has_health_check",
    "max_calls",
)
"""Settings stored as they are."""
_COLUMNS: Final = (
    *_PLAIN,
    "accept",
    "media_networks",
    "codecs",
    "dialled_from",
    "number_format",
    "caller_format",
    "password_sealed",
    "registration_s",
)
_INSERT: Final = Statement(
    insert_row(trunk, *_COLUMNS, "created_at").on_conflict_do_nothing().returning(trunk.c.id)
)
_UPDATE: Final = Statement(
    update(trunk)
    .where(trunk.c.id == bindparam("id_"), trunk.c.name == bindparam("name_"), trunk.c.removed_at.is_(None))
    .values({name: bindparam(name) for name in _COLUMNS if name != "name"})
)
_SELECTED: Final = ("id", *_COLUMNS, "created_at")
_SELECT: Final = select(*(trunk.c[name] for name in _SELECTED)).where(trunk.c.removed_at.is_(None))
_SELECT_ALL: Final = Statement(_SELECT.order_by(trunk.c.id).limit(LISTED_ROW_COUNT_MAX))
_SELECT_BY_NAME: Final = Statement(_SELECT.where(trunk.c.name == bindparam("name")))

_SELECT_PAGE: Final = Statement(
    _SELECT.where(trunk.c.id < bindparam("before")).order_by(trunk.c.id.desc()).limit(bindparam("limit_"))
)
# FOR UPDATE also waits for numbers that join by their foreign key.
_LOCK: Final = Statement(
    select(trunk.c.id)
    .where(trunk.c.name == bindparam("name"), trunk.c.removed_at.is_(None))
    .with_for_update()
)
_COUNT_NUMBERS: Final = Statement(
    select(func.count())
    .select_from(virtual_number)
    .where(virtual_number.c.trunk_id == bindparam("id"), virtual_number.c.removed_at.is_(None))
)
_REMOVE: Final = Statement(
    update(trunk)
    .where(trunk.c.id == bindparam("id_"))
    .values(name=bindparam("new_name"), removed_at=bindparam("now"), username=None, password_sealed=None)
)

_CALLS: Final = "calls"
_REGISTRAR: Final = "registrar"
_TARGET: Final = ("trunk_id", "position", "role", "host", "port", "transport", "priority", "weight")
_INSERT_TARGET: Final = Statement(insert_row(trunk_target, *_TARGET))
_DELETE_TARGETS: Final = Statement(
    delete(trunk_target).where(trunk_target.c.trunk_id == bindparam("trunk_id"))
)
_SELECT_TARGETS: Final = Statement(
    select(*(trunk_target.c[name] for name in _TARGET))
    .order_by(trunk_target.c.trunk_id, trunk_target.c.position)
    .limit(LISTED_ROW_COUNT_MAX * (TARGET_COUNT_MAX + 1))
)


def insert_trunk(tx: Tx, settings: TrunkSettings, now: int) -> int | None:
    """Insert a trunk with its targets; None when its name is taken."""
    row = tx.row(_INSERT, **_values(tx, settings), created_at=now)
    if row is None:
        return None
    _insert_targets(tx, int(row[0]), settings)
    return int(row[0])


def update_trunk(tx: Tx, trunk_id: int, settings: TrunkSettings) -> bool:
    """Give a trunk other settings; its name stays. False when there is no such trunk of that name."""
    values = _values(tx, settings)
    name = values.pop("name")  # the password is sealed under it
    if tx.run(_UPDATE, id_=trunk_id, name_=name, **values) != 1:
        return False
    tx.run(_DELETE_TARGETS, trunk_id=trunk_id)
    _insert_targets(tx, trunk_id, settings)
    return True


def load_trunks(tx: Tx) -> tuple[Trunk, ...]:
    """Load every trunk, oldest first."""
    rows = tx.rows(_SELECT_ALL)
    targets = _load_targets(tx) if rows else {}
    return tuple(_trunk(tx, row, targets) for row in rows)


def load_trunk_page(tx: Tx, before: int | None, limit: int) -> tuple[Trunk, ...]:
    """Load a page of trunks below the internal id `before`, newest first."""
    rows = tx.rows(_SELECT_PAGE, before=ID_MAX if before is None else before, limit_=limit)
    targets = _load_targets(tx) if rows else {}
    return tuple(_trunk(tx, row, targets) for row in rows)


def lock_trunk(tx: Tx, name: str) -> int | None:
    """Keep numbers from joining a trunk until the transaction ends; None when there is none of this name."""
    row = tx.row(_LOCK, name=name)
    return None if row is None else int(row[0])


def count_numbers(tx: Tx, trunk_id: int) -> int:
    """Count the numbers of the inventory that a trunk delivers."""
    row = tx.row(_COUNT_NUMBERS, id=trunk_id)
    assert row is not None
    return int(row[0])


def remove_trunk(tx: Tx, trunk_id: int, now: int) -> None:
    """Forget a trunk, its targets and its password; numbers that are removed themselves still refer to its row.

    Its name is free again: the row has one that nobody can give, since names do not begin with a blank.
    """
    tx.run(_DELETE_TARGETS, trunk_id=trunk_id)
    tx.run(_REMOVE, id_=trunk_id, new_name=f" {trunk_id}", now=now)


def load_trunk(tx: Tx, name: str) -> Trunk | None:
    """Load a trunk by name."""
    row = tx.row(_SELECT_BY_NAME, name=name)
    return None if row is None else _trunk(tx, row, _load_targets(tx))


def _values(tx: Tx, settings: TrunkSettings) -> dict[str, Any]:
    password, registration = settings.password, settings.registration
    return {
        **{name: getattr(settings, name) for name in _PLAIN},
        "accept": json.dumps(settings.accept),
        "media_networks": json.dumps(settings.media_networks),
        "codecs": json.dumps(settings.codecs),
        "dialled_from": settings.dialled_from.value,
        "number_format": settings.number_format.value,
        "caller_format": None if settings.caller_format is None else settings.caller_format.value,
        "password_sealed": None
        if password is None
        else tx.keys.seal(password.reveal(), _place(settings.name)),
        "registration_s": None if registration is None else registration.expires_s,
    }


def _insert_targets(tx: Tx, trunk_id: int, settings: TrunkSettings) -> None:
    rows = [(_CALLS, target) for target in settings.targets]
    if settings.registration is not None and settings.registration.registrar is not None:
        rows.append((_REGISTRAR, settings.registration.registrar))
    for position, (role, target) in enumerate(rows):
        tx.run(
            _INSERT_TARGET,
            trunk_id=trunk_id,
            position=position,
            role=role,
            host=target.host,
            port=target.port,
            transport=target.transport.value,
            priority=target.priority,
            weight=target.weight,
        )


def _load_targets(tx: Tx) -> dict[tuple[int, str], list[Target]]:
    found: dict[tuple[int, str], list[Target]] = defaultdict(list)
    for trunk_id, _position, role, host, port, transport, priority, weight in tx.rows(_SELECT_TARGETS):
        target = Target(
            host=host, port=port, transport=Transport(transport), priority=priority, weight=weight
        )
        found[trunk_id, role].append(target)
    return found


def _place(name: str) -> str:
    return f"trunk.password_sealed:{name}"


def _trunk(tx: Tx, row: Row, targets: dict[tuple[int, str], list[Target]]) -> Trunk:
    it: dict[str, Any] = dict(zip(_SELECTED, row, strict=True))
    sealed, caller_format, expires_s = it["password_sealed"], it["caller_format"], it["registration_s"]
    registrar = next(iter(targets.get((it["id"], _REGISTRAR), ())), None)
    return Trunk(
        id=it["id"],
        created_at=it["created_at"],
        name=it["name"],
        targets=tuple(targets.get((it["id"], _CALLS), ())),
        accept=tuple(json.loads(it["accept"])),
        media_networks=tuple(json.loads(it["media_networks"])),
        country=it["country"],
        codecs=tuple(json.loads(it["codecs"])),
        is_trusted_for_identity=bool(it["is_trusted_for_identity"]),
        dialled_from=DialledFrom(it["dialled_from"]),
        sends_asserted=bool(it["sends_asserted"]),
        number_format=NumberFormat(it["number_format"]),
        caller_format=None if caller_format is None else NumberFormat(caller_format),
        dial_prefix=it["dial_prefix"],
        sends_user_phone=bool(it["sends_user_phone"]),
        from_host=it["from_host"],
        username=it["username"],
        password=None if sealed is None else Secret(tx.keys.unseal(sealed, _place(it["name"]))),
        realm=it["realm"],
        registration=None if expires_s is None else Registration(registrar=registrar, expires_s=expires_s),
        has_health_check=bool(it["has_health_check"]),
        max_calls=it["max_calls"],
    )
