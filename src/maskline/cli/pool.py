"""`maskline pool ...`."""

from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from maskline.cli.account import check_path_name
from maskline.cli.context import Context, found
from maskline.cli.number import find_account, parse_numbers
from maskline.cli.remote import pools as remote
from maskline.clock import to_datetime
from maskline.core.inventory import AllocationPolicy, Pool
from maskline.core.numbers import DID
from maskline.errors import RefusedError
from maskline.store.engine import Tx
from maskline.workflows import numbers as number_work
from maskline.workflows import pools as work
from maskline.workflows.numbers import NumberChanges, NumberNotFound
from maskline.workflows.pools import PoolDeleted, PoolExists, PoolInUse, PoolNotFound

_PAGE_LENGTH: Final = 100


def add_commands(app: App, context: Context) -> None:
    """Register the group."""
    group = App(name="pool", help="Groups of an account's numbers with a policy of their own.")
    app.command(group)

    @group.command(name="create")
    def create(
        account: str,
        name: str,
        /,
        *,
        policy: Annotated[
            Literal["first_fit", "sticky", "spread"], Parameter(show_choices=True)
        ] = "first_fit",
    ) -> None:
        """Create a pool without numbers.

        Args:
            account: Name or auth id of the account.
            name: Letters, digits, and blanks, dots, lines and hyphens between them; unique within the account.
            policy: How the next number of the pool is chosen.
        """
        made = context.perform(
            _create,
            remote.create_pool,
            account,
            check_path_name(name),
            AllocationPolicy(policy),
            context.clock.now(),
        )
        if isinstance(made, PoolExists):
            raise RefusedError(f"the account has a pool named {name!r} already")
        context.answer(_describe(made), f"pool {made.name} created")

    @group.command(name="list")
    def list_all(account: str, /) -> None:
        """List an account's pools, newest first.

        Args:
            account: Name or auth id of the account.
        """
        rows = [_describe(it) for it in context.perform(_list, remote.list_pools, account)]
        context.answer_table(rows, ("name", "policy", "number_count"), "There are no pools.")

    @group.command(name="move")
    def move(account: str, number: str, pool: str | None = None, /) -> None:
        """Let a number join a pool, or, without one, leave its own; its live sessions stay.

        Args:
            account: Name or auth id of the account.
            number: The number, with its plus.
            pool: Name of the pool.
        """
        did = parse_numbers((number,))[0]
        is_moved = context.perform(_move, remote.move_number, account, did, pool)
        found(is_moved or None, "number", did)
        context.answer({"number": did, "pool": pool}, f"{did} is in {pool or 'no pool'}")

    @group.command(name="delete")
    def delete(account: str, name: str, /) -> None:
        """Delete a pool that no number is in.

        Args:
            account: Name or auth id of the account.
            name: Name of the pool.
        """
        match context.perform(_delete, remote.delete_pool, account, name):
            case PoolNotFound():
                found(None, "pool", name)
            case PoolInUse(number_count=count):
                raise RefusedError(f"{count} numbers are in the pool; move them first")
            case PoolDeleted():
                context.answer({"pool": name, "is_deleted": True}, f"pool {name} deleted")


def _create(tx: Tx, account: str, name: str, policy: AllocationPolicy, now: int) -> Pool | PoolExists:
    return work.create_pool(tx, find_account(tx, account).id, name, policy, now)


def _list(tx: Tx, account: str) -> tuple[Pool, ...]:
    owner = find_account(tx, account)
    pools: list[Pool] = []
    while page := work.list_pools(tx, owner.id, before=pools[-1].id if pools else None, limit=_PAGE_LENGTH):
        pools += page
    return tuple(pools)


def _move(tx: Tx, account: str, number: DID, pool: str | None) -> bool:
    changes = NumberChanges(is_moved=True, pool_name=pool)
    outcome = number_work.change_number(tx, number, find_account(tx, account).id, changes)
    if isinstance(outcome, PoolNotFound):
        raise RefusedError(f"there is no pool {pool!r}")
    return not isinstance(outcome, NumberNotFound)


def _delete(tx: Tx, account: str, name: str) -> PoolDeleted | PoolNotFound | PoolInUse:
    return work.delete_pool(tx, find_account(tx, account).id, name)


def _describe(pool: Pool) -> dict[str, object]:
    return {
        "name": pool.name,
        "policy": pool.policy.value,
        "number_count": pool.number_count,
        "created_at": to_datetime(pool.created_at).isoformat(timespec="seconds"),
    }
