"""Virtual numbers elsewhere."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from maskline.api.native.models.numbers import NUMBERS_MAX
from maskline.cli.remote.owners import find_account
from maskline.cli.remote.values import optional_micros
from maskline.clock import from_datetime
from maskline.core.inventory import NumberHealth, VirtualNumber
from maskline.core.numbers import DID
from maskline.errors import InputError, RefusedError
from maskline.workflows.numbers import (
    NumberDraining,
    NumberNotFound,
    NumberRemoved,
    NumbersAdded,
    NumbersAreParties,
    NumbersTaken,
)

_REFUSALS: Final[Mapping[str, type[NumbersTaken | NumbersAreParties]]] = {
    "numbers-taken": NumbersTaken,
    "number-is-party": NumbersAreParties,
}
"""What the service says of single numbers."""

if TYPE_CHECKING:
    from maskline.api.native.models.numbers import NumberView
    from maskline.client import Client, InvalidRequestError


def add_numbers(
    client: "Client",
    *,
    numbers: tuple[DID, ...],
    account: str,
    trunk: str,
    subaccount: str | None,
    area: str | None,
    now: int,
) -> NumbersAdded | NumbersTaken | NumbersAreParties:
    """Add numbers and lease them; all or none."""
    from maskline.client import ConflictError, InvalidRequestError  # noqa: PLC0415  # slow to load

    if len(numbers) > NUMBERS_MAX:
        raise InputError(f"at most {NUMBERS_MAX} numbers at once through a service")
    owner = find_account(client, account)
    try:
        client.numbers.add(
            numbers=list(numbers),
            trunk=trunk,
            account=owner.auth_id,
            subaccount=subaccount,
            area=area or None,
        )
    except ConflictError as error:
        kind = _REFUSALS.get(error.code)
        if kind is None:
            raise
        places = [int(it.pointer.rpartition("/")[2]) for it in error.errors]
        return kind(numbers=tuple(numbers[place] for place in places))
    except InvalidRequestError as error:
        raise _unknown(error, trunk, subaccount) or error from None
    return NumbersAdded(numbers=numbers)


def list_numbers(client: "Client", account: str | None) -> tuple[VirtualNumber, ...]:
    """The inventory, or what one account leases, in inventory order."""
    if account is None:
        names = {it.auth_id: it.name for it in client.accounts.list()}
        return tuple(_number(it, names) for it in client.numbers.list())
    owner = find_account(client, account)
    leased = client.with_options(account=owner.auth_id).numbers.list()
    return tuple(_number(it, {owner.auth_id: owner.name}) for it in leased)


def drain_number(client: "Client", number: DID, now: int) -> NumberDraining | NumberNotFound:
    """Give a number to no new session."""
    from maskline.client import NotFoundError  # noqa: PLC0415  # slow to load; most commands are local

    try:
        drained = client.numbers.drain(number)
    except NotFoundError:
        return NumberNotFound()
    return NumberDraining(live_session_count=drained.live_session_count)


def remove_number(
    client: "Client", number: DID, *, is_forced: bool, now: int
) -> NumberRemoved | NumberDraining | NumberNotFound:
    """Take a number out of the inventory."""
    from maskline.client import ConflictError, NotFoundError  # noqa: PLC0415  # as above

    try:
        removed = client.numbers.remove(number, force=is_forced)
    except NotFoundError:
        return NumberNotFound()
    except ConflictError:
        return drain_number(client, number, now)  # it is draining; this says how many sessions live on it
    return NumberRemoved(ended_session_count=removed.ended_session_count)


def _unknown(error: "InvalidRequestError", trunk: str, subaccount: str | None) -> RefusedError | None:
    """Which of the things that a command names is not there, if that is what was refused."""
    missing = {it.pointer for it in error.errors if it.code == "unknown"}
    if "/trunk" in missing:
        return RefusedError(f"there is no trunk {trunk!r}")
    if "/subaccount" in missing:
        return RefusedError(f"there is no sub-account {subaccount!r}")
    return None


def _number(view: "NumberView", names: dict[str, str]) -> VirtualNumber:
    is_draining = view.draining_at is not None
    return VirtualNumber(
        id=0,
        number=DID(view.number),
        country=view.country,
        area=view.area,
        trunk_id=0,
        trunk_name=view.trunk or "",
        health=NumberHealth.HEALTHY if is_draining else NumberHealth(view.state),
        created_at=from_datetime(view.created_at),
        draining_at=optional_micros(view.draining_at),
        account_id=None if view.account is None else 0,
        account_name=None if view.account is None else names.get(view.account, view.account),
        subaccount_auth_id=view.subaccount,
    )
