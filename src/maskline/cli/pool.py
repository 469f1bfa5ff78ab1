"""`maskline pool ...`."""

from typing import Literal

from cyclopts import App

from maskline.cli.context import Context, found
from maskline.cli.number import find_account, parse_numbers
from maskline.cli.remote import pools as remote
from maskline.clock import to_datetime
from maskline.core.inventory import AllocationPolicy, Pool
from maskline.core.numbers import DID
from maskline.errors import InputError, RefusedError
from maskline.store.engine import Tx
from maskline.workflows import pools as work
from maskline.workflows.numbers import NumberChanges, NumberNotFound, change_number
from maskline.workflows.pools import POOL_NAME, PoolDeleted, PoolExists, PoolInUse, PoolNotFound

LIST_COUNT_MAX = 10_000  # as other lists of the command line
Policy = Literal["first_fit", "sticky", "spread"]


def add_commands(app: App, context: Context) -> None:
    """Register the group."""
    group = App(name="pool", help="Numbers of an account with a policy of their own.")
    app.command(group)
    _add_keeping(group, context)
    _add_moving(group, context)


def _add_keeping(group: App, context: Context) -> None:
    @group.command(name="create")
    def create(account: str, name: str, /, *, policy: Policy = "first_fit") -> None:
        """Make a pool, without numbers at first.

        Args:
            account: Name or auth id of the account.
            name: A name of your own, unique within the account.
            policy: How its next virtual number is chosen.
        """
        made = context.perform(
            _create,
            remote.create_pool,
            account,
            _check_name(name),
            AllocationPolicy(policy),
            context.clock.now(),
        )
        if isinstance(made, PoolExists):
            raise RefusedError(f"the account has a pool named {name!r} already")
        context.answer(_describe(made), f"pool {made.name} made, {made.policy.value}")

    @group.command(name="set")
    def change(account: str, name: str, /, *, policy: Policy) -> None:
        """Change how a pool's next number is chosen.

        Args:
            account: Name or auth id of the account.
            name: The pool's name.
            policy: How its next virtual number is chosen.
        """
        changed = context.perform(_change, remote.change_pool, account, name, AllocationPolicy(policy))
        pool = found(changed if isinstance(changed, Pool) else None, "pool", name)
        context.answer(_describe(pool), f"pool {pool.name} is {pool.policy.value}")

    @group.command(name="list")
    def list_all(account: str, /) -> None:
        """List an account's pools, newest first.

        Args:
            account: Name or auth id of the account.
        """
        rows = [_describe(it) for it in context.perform(_list, remote.list_pools, account)]
        context.answer_table(rows, ("name", "policy", "numbers"), "There are no pools.")

    @group.command(name="delete")
    def delete(account: str, name: str, /) -> None:
        """Delete a pool that no number is in.

        Args:
            account: Name or auth id of the account.
            name: The pool's name.
        """
        match context.perform(_delete, remote.delete_pool, account, name):
            case PoolNotFound():
                found(None, "pool", name)
            case PoolInUse():
                raise RefusedError("numbers are in the pool; move them first")
            case PoolDeleted():
                context.answer({"pool": name, "is_deleted": True}, f"pool {name} deleted")


def _add_moving(group: App, context: Context) -> None:
    @group.command(name="join")
    def join(account: str, name: str, first: str, /, *more: str) -> None:
        """Move numbers of the account into a pool; all or none.

        Args:
            account: Name or auth id of the account.
            name: The pool's name.
            first: A number with its plus and country code.
            more: Further numbers.
        """
        _move(context, account, name, (first, *more))

    @group.command(name="leave")
    def leave(account: str, first: str, /, *more: str) -> None:
        """Move numbers of the account out of their pools; all or none.

        Args:
            account: Name or auth id of the account.
            first: A number with its plus and country code.
            more: Further numbers.
        """
        _move(context, account, None, (first, *more))


def _move(context: Context, account: str, pool: str | None, texts: tuple[str, ...]) -> None:
    numbers = parse_numbers(texts)
    match context.perform(_move_all, remote.move_numbers, account, pool, numbers):
        case PoolNotFound():
            found(None, "pool", pool or "")
        case NumberNotFound():
            raise RefusedError("nothing was moved: a number is none of the account's")
        case None:
            where = "no pool" if pool is None else f"pool {pool}"
            count = f"{len(numbers)} number{'s' if len(numbers) > 1 else ''}"
            context.answer({"numbers": list(numbers), "pool": pool}, f"{count} in {where}")


def _check_name(name: str) -> str:
    if not POOL_NAME.fullmatch(name):
        raise InputError(
            "a pool's name has 1 to 64 letters, digits, and blanks, dots or hyphens between them"
        )
    return name


def _create(tx: Tx, account: str, name: str, policy: AllocationPolicy, now: int) -> Pool | PoolExists:
    return work.create_pool(tx, find_account(tx, account).id, name, policy, now)


def _change(tx: Tx, account: str, name: str, policy: AllocationPolicy) -> Pool | PoolNotFound:
    return work.change_pool(tx, find_account(tx, account).id, name, policy)


def _list(tx: Tx, account: str) -> tuple[Pool, ...]:
    return work.list_pools(tx, find_account(tx, account).id, limit=LIST_COUNT_MAX)


def _delete(tx: Tx, account: str, name: str) -> PoolDeleted | PoolNotFound | PoolInUse:
    return work.delete_pool(tx, find_account(tx, account).id, name)


def _move_all(
    tx: Tx, account: str, pool: str | None, numbers: tuple[DID, ...]
) -> PoolNotFound | NumberNotFound | None:
    owner = find_account(tx, account)
    changes = NumberChanges(is_moved=True, pool_name=pool)
    with tx.savepoint() as savepoint:
        for number in numbers:
            outcome = change_number(tx, number, owner.id, changes)
            if isinstance(outcome, PoolNotFound):
                return outcome  # with the first number: nothing was moved
            if isinstance(outcome, NumberNotFound):
                savepoint.undo()
                return outcome
    return None


def _describe(pool: Pool) -> dict[str, object]:
    return {
        "name": pool.name,
        "policy": pool.policy.value,
        "numbers": pool.number_count,
        "created_at": to_datetime(pool.created_at).isoformat(timespec="seconds"),
    }
