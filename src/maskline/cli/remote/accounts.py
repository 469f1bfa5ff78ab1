"""Accounts and sub-accounts elsewhere."""

from typing import TYPE_CHECKING

from maskline.cli.remote.owners import act_for, find_account
from maskline.clock import from_datetime
from maskline.core.inventory import Account, NewAccount, Subaccount
from maskline.core.secret import Secret
from maskline.workflows.accounts import AccountExists

if TYPE_CHECKING:
    from maskline.api.native.models.accounts import AccountView, SubaccountView
    from maskline.client import Client

_UNTOLD = Secret("")


def create_account(client: "Client", new: NewAccount, now: int) -> Account | AccountExists:
    """Make an account."""
    from maskline.client import ConflictError  # noqa: PLC0415  # slow to load; most commands are local

    try:
        made = client.accounts.create(
            name=new.name,
            auth_id=new.auth_id,
            auth_token=None if new.token is None else new.token.reveal(),
            country=new.country,
            timezone=new.timezone,
            policy=new.policy,
            cooloff_scope=new.cooloff_scope,
        )
    except ConflictError:
        return AccountExists()
    return _account(made, made.auth_token)


def change_account(
    client: "Client", name: str, refusal_prompt_url: str | None, *, strict_pins: bool | None
) -> Account:
    """Change what is given; a prompt of no characters takes the prompt away."""
    account = find_account(client, name)
    if refusal_prompt_url is not None:
        account = client.accounts.update(account.auth_id, refusal_prompt=refusal_prompt_url or None)
    if strict_pins is not None:
        account = client.accounts.update(account.auth_id, strict_pins=strict_pins)
    return _account(account)


def rotate_token(client: "Client", name: str) -> Account:
    """Give an account another token."""
    rotated = client.accounts.rotate_token(find_account(client, name).auth_id)
    return _account(rotated, rotated.auth_token)


def rotate_subaccount_token(client: "Client", account: str, subaccount: str) -> Subaccount | None:
    """Give a sub-account another token."""
    from maskline.client import NotFoundError  # noqa: PLC0415  # slow to load; most commands are local

    try:
        rotated = act_for(client, account).subaccounts.rotate_token(subaccount)
    except NotFoundError:
        return None
    return _subaccount(rotated, rotated.auth_token)


def list_accounts(client: "Client") -> tuple[Account, ...]:
    """Accounts, oldest first."""
    return tuple(_account(it) for it in client.accounts.list())[::-1]


def create_subaccount(client: "Client", account: str, name: str, now: int) -> Subaccount | AccountExists:
    """Make a sub-account."""
    from maskline.client import ConflictError  # noqa: PLC0415  # as above

    try:
        made = act_for(client, account).subaccounts.create(name=name)
    except ConflictError:
        return AccountExists()
    return _subaccount(made, made.auth_token)


def list_subaccounts(client: "Client", account: str) -> tuple[Subaccount, ...]:
    """An account's sub-accounts, oldest first."""
    return tuple(_subaccount(it) for it in act_for(client, account).subaccounts.list())[::-1]


def _account(view: "AccountView", token: Secret = _UNTOLD) -> Account:
    return Account(
        id=0,
        auth_id=view.auth_id,
        name=view.name,
        country=view.country,
        timezone=view.timezone,
        token=token,
        policy=view.policy,
        cooloff_scope=view.cooloff_scope,
        created_at=from_datetime(view.created_at),
        refusal_prompt_url=view.refusal_prompt or "",
        has_strict_pins=view.strict_pins,
    )


def _subaccount(view: "SubaccountView", token: Secret = _UNTOLD) -> Subaccount:
    return Subaccount(
        id=0,
        account_id=0,
        auth_id=view.auth_id,
        name=view.name,
        token=token,
        created_at=from_datetime(view.created_at),
    )
