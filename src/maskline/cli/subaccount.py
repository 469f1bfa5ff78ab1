"""`maskline subaccount ...`."""

from cyclopts import App

from maskline.cli.account import check_name
from maskline.cli.context import Context, found
from maskline.cli.number import find_account
from maskline.cli.remote import accounts as remote
from maskline.clock import to_datetime
from maskline.core.inventory import Subaccount
from maskline.errors import RefusedError
from maskline.store.engine import Tx
from maskline.workflows import accounts as work
from maskline.workflows.accounts import AccountExists


def add_commands(app: App, context: Context) -> None:
    """Register the group."""
    group = App(name="subaccount", help="Parts of accounts with credentials of their own.")
    app.command(group)

    @group.command(name="create")
    def create(account: str, name: str, /) -> None:
        """Create a sub-account and print its credentials.

        Args:
            account: Name or auth id of the account.
            name: A name of your own, unique within the account.
        """
        made = context.perform(
            _create, remote.create_subaccount, account, check_name(name), context.clock.now()
        )
        if isinstance(made, AccountExists):
            raise RefusedError(f"the account has a sub-account named {name!r} already")
        token = made.token.reveal()
        context.answer(
            {**_describe(made), "auth_token": token},
            f"subaccount  {made.name}",
            f"auth_id     {made.auth_id}",
            f"auth_token  {token}",
        )

    @group.command(name="rotate-token")
    def rotate(account: str, subaccount: str, /) -> None:
        """Give a sub-account another token and print it; the old one ends within a second.

        Args:
            account: Name or auth id of the account.
            subaccount: Auth id of the sub-account.
        """
        rotated = context.perform(_rotate, remote.rotate_subaccount_token, account, subaccount)
        part = found(rotated, "sub-account", subaccount)
        token = part.token.reveal()
        context.answer(
            {**_describe(part), "auth_token": token},
            f"subaccount  {part.name}",
            f"auth_id     {part.auth_id}",
            f"auth_token  {token}",
        )

    @group.command(name="list")
    def list_all(account: str, /) -> None:
        """List an account's sub-accounts, without their tokens.

        Args:
            account: Name or auth id of the account.
        """
        rows = [_describe(it) for it in context.perform(_list, remote.list_subaccounts, account)]
        context.answer_table(rows, ("name", "auth_id", "created_at"), "There are no sub-accounts.")


def _create(tx: Tx, account: str, name: str, now: int) -> Subaccount | AccountExists:
    return work.create_subaccount(tx, find_account(tx, account), name, now)


def _rotate(tx: Tx, account: str, subaccount: str) -> Subaccount | None:
    owner = find_account(tx, account)
    if work.load_subaccount(tx, owner, subaccount) is None:
        return None
    rotated = work.rotate_token(tx, subaccount)
    return None if rotated is None else rotated.subaccount


def _list(tx: Tx, account: str) -> tuple[Subaccount, ...]:
    return work.list_subaccounts(tx, find_account(tx, account))


def _describe(subaccount: Subaccount) -> dict[str, object]:
    return {
        "name": subaccount.name,
        "auth_id": subaccount.auth_id,
        "created_at": to_datetime(subaccount.created_at).isoformat(),
    }
