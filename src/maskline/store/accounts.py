"""Rows of accounts and sub-accounts."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import bindparam, func, select, update

from maskline.core.inventory import Account, AllocationPolicy, CooloffScope, Subaccount
from maskline.core.secret import Secret

from .engine import Row, Tx
from .schema import account, subaccount
from .statement import Statement, insert_row

ID_MAX: Final = 2**63 - 1
"""Above every internal id: where a list begins that goes down."""
LISTED_ROW_COUNT_MAX: Final = 10_000
"""Rows of inventory in one answer of the command line; larger stocks are listed by the API in pages."""

CHANGEABLE: Final = (
    "country",
    "timezone",
    "policy",
    "cooloff_scope",
    "refusal_prompt_url",
    "has_strict_pins",
)
"""What may be changed of an account; its name and auth id stay."""

_INSERT_ACCOUNT: Final = Statement(
    insert_row(
        account,
        "auth_id",
        "name",
        "country",
        "timezone",
        "token_sealed",
        "policy",
        "cooloff_scope",
        "created_at",
    )
    .on_conflict_do_nothing()
    .returning(account.c.id)
)
_UPDATE_ACCOUNT: Final = Statement(
    update(account)
    .where(account.c.id == bindparam("id_"))
    .values(
        {
            name: func.coalesce(bindparam(name, type_=account.c[name].type), account.c[name])
            for name in CHANGEABLE
        }
    )
)
_INSERT_SUBACCOUNT: Final = Statement(
    insert_row(subaccount, "account_id", "auth_id", "name", "token_sealed", "created_at")
    .on_conflict_do_nothing()
    .returning(subaccount.c.id)
)
_ACCOUNT: Final = select(
    account.c.id,
    account.c.auth_id,
    account.c.name,
    account.c.country,
    account.c.timezone,
    account.c.token_sealed,
    account.c.policy,
    account.c.cooloff_scope,
    account.c.created_at,
    account.c.refusal_prompt_url,
    account.c.has_strict_pins,
)
_SUBACCOUNT: Final = select(
    subaccount.c.id,
    subaccount.c.account_id,
    subaccount.c.auth_id,
    subaccount.c.name,
    subaccount.c.token_sealed,
    subaccount.c.created_at,
)
_SELECT_BY_AUTH_ID: Final = Statement(_ACCOUNT.where(account.c.auth_id == bindparam("auth_id")))
_SELECT_BY_NAME: Final = Statement(_ACCOUNT.where(account.c.name == bindparam("name")))
_SELECT_BY_ID: Final = Statement(_ACCOUNT.where(account.c.id == bindparam("id")))
_SELECT_ALL: Final = Statement(_ACCOUNT.order_by(account.c.id).limit(LISTED_ROW_COUNT_MAX))
_SELECT_SUBACCOUNT: Final = Statement(_SUBACCOUNT.where(subaccount.c.auth_id == bindparam("auth_id")))
_SELECT_SUBACCOUNTS: Final = Statement(
    _SUBACCOUNT.where(subaccount.c.account_id == bindparam("account_id"))
    .order_by(subaccount.c.id)
    .limit(LISTED_ROW_COUNT_MAX)
)
_SELECT_PAGE: Final = Statement(
    _ACCOUNT.where(account.c.id < bindparam("before"))
    .order_by(account.c.id.desc())
    .limit(bindparam("limit_"))
)
_SELECT_SUBACCOUNT_PAGE: Final = Statement(
    _SUBACCOUNT.where(
        subaccount.c.account_id == bindparam("account_id"), subaccount.c.id < bindparam("before")
    )
    .order_by(subaccount.c.id.desc())
    .limit(bindparam("limit_"))
)
_UPDATE_TOKEN: Final = Statement(
    update(account).where(account.c.auth_id == bindparam("auth_id_")).values(token_sealed=bindparam("sealed"))
)
_UPDATE_SUBACCOUNT_TOKEN: Final = Statement(
    update(subaccount)
    .where(subaccount.c.auth_id == bindparam("auth_id_"))
    .values(token_sealed=bindparam("sealed"))
)


def insert_account(tx: Tx, *, auth_id: str, token: Secret, **columns: Any) -> int | None:
    """Insert an account; None when its id or name is taken."""
    sealed = tx.keys.seal(token.reveal(), f"account.token_sealed:{auth_id}")
    row = tx.row(_INSERT_ACCOUNT, auth_id=auth_id, token_sealed=sealed, **columns)
    return None if row is None else int(row[0])


def update_account(tx: Tx, id_: int, changes: Mapping[str, object]) -> None:
    """Replace what is given of `CHANGEABLE`."""
    tx.run(_UPDATE_ACCOUNT, id_=id_, **(dict.fromkeys(CHANGEABLE) | dict(changes)))


def update_token(tx: Tx, auth_id: str, token: Secret) -> None:
    """Give an account or a sub-account another token; the one it had opens nothing any more."""
    if auth_id.startswith("SA"):
        sealed = tx.keys.seal(token.reveal(), f"subaccount.token_sealed:{auth_id}")
        tx.run(_UPDATE_SUBACCOUNT_TOKEN, auth_id_=auth_id, sealed=sealed)
    else:
        sealed = tx.keys.seal(token.reveal(), f"account.token_sealed:{auth_id}")
        tx.run(_UPDATE_TOKEN, auth_id_=auth_id, sealed=sealed)


def insert_subaccount(tx: Tx, *, auth_id: str, token: Secret, **columns: Any) -> int | None:
    """Insert a sub-account; None when its id, or its name within the account, is taken."""
    sealed = tx.keys.seal(token.reveal(), f"subaccount.token_sealed:{auth_id}")
    row = tx.row(_INSERT_SUBACCOUNT, auth_id=auth_id, token_sealed=sealed, **columns)
    return None if row is None else int(row[0])


def load_account(
    tx: Tx, *, auth_id: str | None = None, name: str | None = None, id_: int | None = None
) -> Account | None:
    """Load an account by the one key given."""
    if auth_id is not None:
        row = tx.row(_SELECT_BY_AUTH_ID, auth_id=auth_id)
    elif name is not None:
        row = tx.row(_SELECT_BY_NAME, name=name)
    else:
        row = tx.row(_SELECT_BY_ID, id=id_)
    return None if row is None else _account(tx, row)


def load_accounts(tx: Tx) -> tuple[Account, ...]:
    """Load every account, oldest first."""
    return tuple(_account(tx, row) for row in tx.rows(_SELECT_ALL))


def load_account_page(tx: Tx, before: int | None, limit: int) -> tuple[Account, ...]:
    """Load a page of accounts older than the one with the internal id `before`, newest first."""
    rows = tx.rows(_SELECT_PAGE, before=ID_MAX if before is None else before, limit_=limit)
    return tuple(_account(tx, row) for row in rows)


def load_subaccount_page(tx: Tx, account_id: int, before: int | None, limit: int) -> tuple[Subaccount, ...]:
    """Load a page of an account's sub-accounts, likewise."""
    before = ID_MAX if before is None else before
    rows = tx.rows(_SELECT_SUBACCOUNT_PAGE, account_id=account_id, before=before, limit_=limit)
    return tuple(_subaccount(tx, row) for row in rows)


def load_subaccount(tx: Tx, auth_id: str) -> Subaccount | None:
    """Load a sub-account by its auth id."""
    row = tx.row(_SELECT_SUBACCOUNT, auth_id=auth_id)
    return None if row is None else _subaccount(tx, row)


def load_subaccounts(tx: Tx, account_id: int) -> tuple[Subaccount, ...]:
    """Load an account's sub-accounts, oldest first."""
    return tuple(_subaccount(tx, row) for row in tx.rows(_SELECT_SUBACCOUNTS, account_id=account_id))


def _account(tx: Tx, row: Row) -> Account:
    id_, auth_id, name, country, timezone, sealed, policy, cooloff_scope, created_at, *changeable = row
    refusal_prompt_url, has_strict_pins = changeable
    return Account(
        id=id_,
        auth_id=auth_id,
        name=name,
        country=country,
        timezone=timezone,
        token=Secret(tx.keys.unseal(sealed, f"account.token_sealed:{auth_id}")),
        policy=AllocationPolicy(policy),
        cooloff_scope=CooloffScope(cooloff_scope),
        created_at=created_at,
        refusal_prompt_url=refusal_prompt_url,
        has_strict_pins=bool(has_strict_pins),
    )


def _subaccount(tx: Tx, row: Row) -> Subaccount:
    id_, account_id, auth_id, name, sealed, created_at = row
    token = Secret(tx.keys.unseal(sealed, f"subaccount.token_sealed:{auth_id}"))
    return Subaccount(
        id=id_, account_id=account_id, auth_id=auth_id, name=name, token=token, created_at=created_at
    )
