"""Rows of webhook endpoints."""

import json
from typing import Final

from sqlalchemy import bindparam, literal_column, select, update

from maskline.core.delivery import ENDPOINT_COUNT_MAX, Dialect, WebhookEndpoint
from maskline.core.events import EventKind
from maskline.core.secret import Secret

from .engine import Row, Tx
from .schema import account
from .schema_deliveries import webhook_endpoint
from .statement import Statement, insert_row

_e: Final = webhook_endpoint.c
_INSERT: Final = Statement(
    insert_row(
        webhook_endpoint,
        "id",
        "account_id",
        "slot",
        "url",
        "kinds",
        "sends_numbers",
        "secret_sealed",
        "created_at",
        "dialect",
    ).on_conflict_do_nothing()
)
_SELECT: Final = (
    select(
        _e.id,
        _e.account_id,
        _e.url,
        _e.kinds,
        _e.sends_numbers,
        _e.created_at,
        _e.disabled_at,
        _e.dialect,
    )
    .where(_e.account_id == bindparam("account_id"), _e.removed_at.is_(None))
    .order_by(_e.created_at, _e.slot)
    .limit(ENDPOINT_COUNT_MAX)
)
_SELECT_ALL: Final = Statement(_SELECT)
_SELECT_ENABLED: Final = Statement(_SELECT.where(_e.disabled_at.is_(None)))
_SELECT_SLOTS: Final = Statement(
    select(_e.slot)
    .where(_e.account_id == bindparam("account_id"), _e.removed_at.is_(None))
    .limit(ENDPOINT_COUNT_MAX)
)
_DISABLE: Final = Statement(
    update(webhook_endpoint)
    .where(_e.id == bindparam("id_"), _e.disabled_at.is_(None), _e.removed_at.is_(None))
    .values(disabled_at=bindparam("now"))
    .returning(_e.account_id)
)
_REMOVE: Final = Statement(
    update(webhook_endpoint)
    .where(_e.id == bindparam("id_"), _e.account_id == bindparam("owner_id"), _e.removed_at.is_(None))
    .values(removed_at=bindparam("now"), secret_sealed=None)
)
_SET_FLAG: Final = Statement(
    update(account)
    .where(account.c.id == bindparam("id_"))
    .values(
        has_webhooks=select(literal_column("1"))
        .where(_e.account_id == account.c.id, _e.removed_at.is_(None), _e.disabled_at.is_(None))
        .correlate(account)
        .exists()
    )
)


def secret_place(endpoint_id: str) -> str:
    """Name the place of an endpoint's sealed secret, as `Keys.seal` wants it."""
    return f"webhook_endpoint.secret_sealed:{endpoint_id}"


def insert_endpoint(tx: Tx, endpoint: WebhookEndpoint, secret: Secret) -> bool:
    """Insert an endpoint in the account's first free slot; False when all are taken."""
    taken = {row[0] for row in tx.rows(_SELECT_SLOTS, account_id=endpoint.account_id)}
    for slot in range(1, ENDPOINT_COUNT_MAX + 1):
        if slot in taken:
            continue
        count = tx.run(
            _INSERT,
            id=endpoint.id,
            account_id=endpoint.account_id,
            slot=slot,
            url=endpoint.url,
            kinds=json.dumps(sorted(endpoint.kinds)),
            sends_numbers=endpoint.sends_numbers,
            secret_sealed=tx.keys.seal(secret.reveal(), secret_place(endpoint.id)),
            created_at=endpoint.created_at,
            dialect=endpoint.dialect.value,
        )
        if count:  # else somebody took the slot at this moment
            return True
    return False


def load_endpoints(tx: Tx, account_id: int, *, only_enabled: bool = False) -> tuple[WebhookEndpoint, ...]:
    """Load an account's endpoints, oldest first."""
    rows = tx.rows(_SELECT_ENABLED if only_enabled else _SELECT_ALL, account_id=account_id)
    return tuple(_endpoint(row) for row in rows)


def disable(tx: Tx, endpoint_id: str, now: int) -> bool:
    """Send nothing more to an endpoint; False when that was so already."""
    row = tx.row(_DISABLE, id_=endpoint_id, now=now)
    if row is None:
        return False
    update_flag(tx, row[0])
    return True


def remove(tx: Tx, account_id: int, endpoint_id: str, now: int) -> bool:
    """Forget an endpoint and its secret; the row stays for its deliveries. False when there is none."""
    return tx.run(_REMOVE, id_=endpoint_id, owner_id=account_id, now=now) == 1


def update_flag(tx: Tx, account_id: int) -> None:
    """Let the account's row say whether it has an enabled endpoint, which is read for every call."""
    tx.run(_SET_FLAG, id_=account_id)


def _endpoint(row: Row) -> WebhookEndpoint:
    id_, account_id, url, kinds, sends_numbers, created_at, disabled_at, dialect = row
    return WebhookEndpoint(
        id=id_,
        account_id=account_id,
        url=url,
        kinds=frozenset(EventKind(kind) for kind in json.loads(kinds)),
        sends_numbers=bool(sends_numbers),
        created_at=created_at,
        disabled_at=disabled_at,
        dialect=Dialect(dialect),
    )
