"""`maskline number ...`."""

from cyclopts import App

from maskline.cli.context import Context, found
from maskline.cli.remote import numbers as remote
from maskline.clock import to_datetime
from maskline.core.inventory import Account, NewNumbers, Subaccount, VirtualNumber
from maskline.core.numbers import DID, parse_number
from maskline.errors import InputError, RefusedError
from maskline.store.engine import Tx
from maskline.workflows.accounts import load_account, load_subaccount
from maskline.workflows.numbers import (
    NumberDraining,
    NumberNotFound,
    NumberRemoved,
    NumbersAdded,
    NumbersAreParties,
    NumbersTaken,
    add_numbers,
    drain_number,
    list_numbers,
    remove_number,
)
from maskline.workflows.trunks import load_trunk

NUMBERS_MAX = 10_000  # of one command: one transaction that stays short
AREA_LENGTH_MAX = 50


def add_commands(app: App, context: Context) -> None:
    """Register the group."""
    group = App(name="number", help="The inventory of virtual numbers.")
    app.command(group)

    @group.command(name="add")
    def add(
        first: str,
        /,
        *more: str,
        account: str,
        trunk: str,
        subaccount: str | None = None,
        area: str | None = None,
    ) -> None:
        """Add virtual numbers and lease them to an account; all or none.

        Args:
            first: A number with its plus and country code.
            more: Further numbers; they are given out in this order.
            account: Name or auth id of the account that may use them.
            trunk: Name of the trunk that delivers them.
            subaccount: Auth id of the only sub-account that may use them.
            area: A word of your own for where the numbers are from.
        """
        numbers = parse_numbers((first, *more))
        if area is not None and (not area.isprintable() or len(area) > AREA_LENGTH_MAX):
            msg = f"--area: at most {AREA_LENGTH_MAX} printable characters"
            raise InputError(msg)
        outcome = context.perform(
            _add,
            remote.add_numbers,
            numbers=numbers,
            account=account,
            trunk=trunk,
            subaccount=subaccount,
            area=area,
            now=context.clock.now(),
        )
        if isinstance(outcome, NumbersTaken):
            msg = f"nothing was added: already in the inventory: {', '.join(outcome.numbers)}"
            raise RefusedError(msg)
        if isinstance(outcome, NumbersAreParties):
            places = ", ".join(str(numbers.index(it) + 1) for it in outcome.numbers)  # people's: not told
            msg = f"nothing was added: parties of live sessions, by their place in the command: {places}"
            raise RefusedError(msg)
        count = len(outcome.numbers)
        context.answer(
            {"numbers": list(outcome.numbers)},
            f"{count} number{'s' if count > 1 else ''} added for {account}",
        )

    @group.command(name="list")
    def list_all(*, account: str | None = None) -> None:
        """List virtual numbers in the order in which they are given out.

        Args:
            account: Name or auth id; only the numbers this account leases.
        """
        rows = [_describe(number) for number in context.perform(_list, remote.list_numbers, account)]
        columns = ("number", "country", "area", "account", "subaccount", "trunk", "state")
        context.answer_table(rows, columns, "There are no numbers.")

    @group.command(name="drain")
    def drain(number: str, /) -> None:
        """Give a number to no new session; those it has run on.

        Args:
            number: The number, with its plus.
        """
        did = parse_numbers((number,))[0]
        outcome = context.perform(drain_number, remote.drain_number, did, context.clock.now())
        if isinstance(outcome, NumberNotFound):
            raise _no_number(did)
        count = outcome.live_session_count
        context.answer(
            {"number": did, "state": "draining", "live_sessions": count}, _draining_line(did, count)
        )

    @group.command(name="remove")
    def remove(number: str, /, *, force: bool = False) -> None:
        """Take a number out of the inventory, once no session lives on it.

        With live sessions it is left draining and the command fails.

        Args:
            number: The number, with its plus.
            force: End its live sessions first.
        """
        did = parse_numbers((number,))[0]
        outcome = context.perform(
            remove_number, remote.remove_number, did, is_forced=force, now=context.clock.now()
        )
        match outcome:
            case NumberNotFound():
                raise _no_number(did)
            case NumberDraining(live_session_count=count):
                msg = f"{_draining_line(did, count)}; remove it when they are over, or with --force"
                raise RefusedError(msg)
            case NumberRemoved(ended_session_count=count):
                context.answer(
                    {"number": did, "state": "removed", "ended_sessions": count},
                    f"{did} removed" + (f", {count} sessions ended" if count else ""),
                )


def find_account(tx: Tx, name_or_auth_id: str) -> Account:
    """The account of this name, or of this auth id. Raises RefusedError."""
    account = load_account(tx, name=name_or_auth_id) or load_account(tx, auth_id=name_or_auth_id)
    return found(account, "account", name_or_auth_id)


def _add(
    tx: Tx,
    *,
    numbers: tuple[DID, ...],
    account: str,
    trunk: str,
    subaccount: str | None,
    area: str | None,
    now: int,
) -> NumbersAdded | NumbersTaken | NumbersAreParties:
    owner = find_account(tx, account)
    part: Subaccount | None = None
    if subaccount is not None:
        part = found(load_subaccount(tx, owner, subaccount), "sub-account", subaccount)
    new = NewNumbers(
        numbers=numbers,
        account_id=owner.id,
        trunk_id=found(load_trunk(tx, trunk), "trunk", trunk).id,
        subaccount_id=None if part is None else part.id,
        area=area,
    )
    return add_numbers(tx, new, now)


def _list(tx: Tx, account: str | None) -> tuple[VirtualNumber, ...]:
    return list_numbers(tx, None if account is None else find_account(tx, account).id)


def parse_numbers(texts: tuple[str, ...]) -> tuple[DID, ...]:
    """Numbers with their plus and country code, each once. Raises InputError."""
    if len(texts) > NUMBERS_MAX:
        msg = f"at most {NUMBERS_MAX} numbers at once"
        raise InputError(msg)
    numbers = []
    for text in texts:
        number = (
            parse_number(text, country="IN", is_country_code_first=True) if text.startswith("+") else None
        )
        if number is None:
            msg = f"{text!r} is not a number such as +912269947011"
            raise InputError(msg)
        numbers.append(DID(number.reveal()))
    if len(set(numbers)) < len(numbers):
        raise InputError("a number is given twice")
    return tuple(numbers)


def _no_number(number: DID) -> RefusedError:
    return RefusedError(f"{number} is not in the inventory")


def _draining_line(number: DID, live_session_count: int) -> str:
    return f"{number} is draining, {live_session_count} live sessions on it"


def _describe(number: VirtualNumber) -> dict[str, object]:
    return {
        "number": number.number,
        "country": number.country,
        "area": number.area,
        "account": number.account_name,
        "subaccount": number.subaccount_auth_id,
        "trunk": number.trunk_name,
        "state": number.health.value if number.draining_at is None else "draining",
        "created_at": to_datetime(number.created_at).isoformat(),
    }
