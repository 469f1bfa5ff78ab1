"""Virtual numbers over the native interface: the operator's to add and remove, an account's own to see and sort."""

import re
from typing import Final

from starlette.responses import Response

from maskline.api.native.errors import FieldError, NativeError, refuse_field
from maskline.api.native.kernel import NativeKernel, refuse, reply
from maskline.api.native.models.common import ListOf, instant, optional_instant
from maskline.api.native.models.numbers import (
    NewNumbersRequest,
    NumberChangesRequest,
    NumberDrainingView,
    NumberQuery,
    NumberRemovedView,
    NumberState,
    NumberView,
    RemovalQuery,
)
from maskline.api.native.paging import page_of, read_cursor
from maskline.api.native.routes import Asked, Route
from maskline.core.access import Permission, Reach
from maskline.core.inventory import NewNumbers, NumberFilter, NumberHealth, VirtualNumber
from maskline.core.numbers import DID
from maskline.store.engine import Tx
from maskline.workflows.accounts import load_account, load_subaccount
from maskline.workflows.numbers import (
    NumberChanges,
    NumberDraining,
    NumberNotFound,
    NumberRemoved,
    NumbersAreParties,
    NumbersTaken,
    change_number,
    drain_number,
    ensure_numbers,
    list_number_page,
    load_number,
    remove_number,
)
from maskline.workflows.pools import PoolNotFound, hold_pool
from maskline.workflows.trunks import lock_trunk

_LIST: Final = "numbers"
_E164: Final = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)


class NumbersAPI:
    """Operations on the inventory."""

    def __init__(self, kernel: NativeKernel) -> None:
        self._kernel = kernel

    async def list_numbers(self, asked: Asked) -> Response:
        """List numbers in inventory order, which is the order of first fit: the oldest first."""
        query = asked.query(NumberQuery)
        key = read_cursor(_LIST, query.after, int)
        wanted = NumberFilter(
            account_id=_account_id(asked),
            trunk_name=query.trunk if asked.caller.is_operator else None,
            pool_name=query.pool,
            country=query.country,
            health=_health(query.state),
            is_draining=None if query.state is None else query.state is NumberState.DRAINING,
        )
        if query.trunk is not None and not asked.caller.is_operator:
            raise refuse_field("/trunk", "operator-only", "Trunks are the operator's.")
        found = await self._kernel.store.read(
            list_number_page, wanted, after_id=0 if key is None else int(key[0]), limit=query.limit + 1
        )
        is_operator = asked.caller.is_operator
        page = page_of(
            _LIST,
            found,
            query.limit,
            render=lambda it: NumberView(**_fields(it, is_operator=is_operator)),
            key=lambda it: (it.id,),
        )
        return reply(200, page)

    async def add_numbers(self, asked: Asked) -> Response:
        """Add numbers and lease them to an account; those it has on this trunk already stay as they are."""
        wanted = asked.read(NewNumbersRequest)
        if len(set(wanted.numbers)) < len(wanted.numbers):
            raise refuse_field("/numbers", "repeated", "A number may stand once.")
        return await self._kernel.write(asked, _add, _tell_added, wanted, self._kernel.clock.now())

    async def get_number(self, asked: Asked) -> Response:
        """Show one number."""
        found = await self._kernel.store.read(load_number, _number(asked))
        account_id = _account_id(asked)
        if found is None or account_id not in (None, found.account_id):
            raise NativeError("not-found")
        return reply(200, NumberView(**_fields(found, is_operator=asked.caller.is_operator)))

    async def change_number(self, asked: Asked) -> Response:
        """Move a number to another pool of its account, or say whether it works, which is the operator's."""
        wanted = asked.read(NumberChangesRequest)
        if wanted.health is not None and not asked.caller.is_operator:
            raise NativeError("not-permitted", "The health of numbers is the operator's.")
        changes = NumberChanges(
            is_moved="pool" in wanted.model_fields_set, pool_name=wanted.pool, health=wanted.health
        )
        outcome = await self._kernel.store.write(change_number, _number(asked), _account_id(asked), changes)
        match outcome:
            case NumberNotFound():
                raise NativeError("not-found")
            case PoolNotFound():
                raise refuse_field("/pool", "unknown", "The number's account has no pool of this name.")
            case VirtualNumber():
                return reply(200, NumberView(**_fields(outcome, is_operator=asked.caller.is_operator)))

    async def drain_number(self, asked: Asked) -> Response:
        """Give a number to no new session; those it has run on to their end."""
        now = self._kernel.clock.now()
        return await self._kernel.write(asked, _drain, _tell_draining, _number(asked), now)

    async def remove_number(self, asked: Asked) -> Response:
        """Take a number out of the inventory; with live sessions and without force it is left draining."""
        query = asked.query(RemovalQuery)
        number = _number(asked)
        outcome = await self._kernel.store.write(
            remove_number, number, is_forced=query.force, now=self._kernel.clock.now()
        )
        match outcome:
            case NumberNotFound():
                raise NativeError("not-found")
            case NumberDraining(live_session_count=count):
                raise NativeError("number-in-use", f"Live sessions on it: {count}. It is draining.")
            case NumberRemoved(ended_session_count=count):
                return reply(200, NumberRemovedView(number=number, ended_session_count=count))


def _add(tx: Tx, wanted: NewNumbersRequest, now: int) -> tuple[VirtualNumber, ...] | NativeError:
    """Find what the request names, then add; a refusal is a value, so that its transaction goes on."""
    account = load_account(tx, auth_id=wanted.account)
    trunk_id = lock_trunk(tx, wanted.trunk)
    if account is None:
        return refuse_field("/account", "unknown", "There is no such account.")
    if trunk_id is None:
        return refuse_field("/trunk", "unknown", "There is no such trunk.")
    subaccount = None if wanted.subaccount is None else load_subaccount(tx, account, wanted.subaccount)
    if wanted.subaccount is not None and subaccount is None:
        return refuse_field("/subaccount", "unknown", "The account has no sub-account of this auth id.")
    pool_id = None if wanted.pool is None else hold_pool(tx, account.id, wanted.pool)
    if isinstance(pool_id, PoolNotFound):
        return refuse_field("/pool", "unknown", "The account has no pool of this name.")
    new = NewNumbers(
        numbers=tuple(wanted.numbers),
        account_id=account.id,
        trunk_id=trunk_id,
        subaccount_id=None if subaccount is None else subaccount.id,
        area=wanted.area,
        pool_id=pool_id,
    )
    outcome = ensure_numbers(tx, new, now)
    if isinstance(outcome, NumbersTaken):
        places = [wanted.numbers.index(it) for it in outcome.numbers]
        detail = "It is in the inventory already, for another account or on another trunk."
        return NativeError(
            "numbers-taken", errors=[FieldError(f"/numbers/{it}", "taken", detail) for it in places]
        )
    if isinstance(outcome, NumbersAreParties):
        places = [wanted.numbers.index(it) for it in outcome.numbers]
        detail = "Somebody with this number is a party of a live session."
        return NativeError(
            "number-is-party", errors=[FieldError(f"/numbers/{it}", "party", detail) for it in places]
        )
    return tuple(it for it in (load_number(tx, number) for number in outcome.numbers) if it is not None)


def _tell_added(outcome: tuple[VirtualNumber, ...] | NativeError) -> Response:
    if isinstance(outcome, NativeError):
        return refuse(outcome)
    views = [NumberView(**_fields(it, is_operator=True)) for it in outcome]
    return reply(201, ListOf[NumberView](data=views))


def _drain(tx: Tx, number: DID, now: int) -> tuple[VirtualNumber, int] | None:
    outcome = drain_number(tx, number, now)
    found = load_number(tx, number)
    if isinstance(outcome, NumberNotFound) or found is None:
        return None
    return found, outcome.live_session_count


def _tell_draining(outcome: tuple[VirtualNumber, int] | None) -> Response:
    if outcome is None:
        return refuse(NativeError("not-found"))
    number, count = outcome
    return reply(200, NumberDrainingView(**_fields(number, is_operator=True), live_session_count=count))


def _account_id(asked: Asked) -> int | None:
    return None if asked.caller.account is None else asked.caller.account.id


def _number(asked: Asked) -> DID:
    text = asked.path("e164")
    if not _E164.fullmatch(text):
        raise NativeError("not-found")
    return DID(text)


def _health(state: NumberState | None) -> NumberHealth | None:
    match state:
        case NumberState.HEALTHY:
            return NumberHealth.HEALTHY
        case NumberState.UNHEALTHY:
            return NumberHealth.UNHEALTHY
        case NumberState.DRAINING | None:
            return None


def _fields(number: VirtualNumber, *, is_operator: bool) -> dict[str, object]:
    state = NumberState(number.health.value) if number.draining_at is None else NumberState.DRAINING
    return {
        "number": number.number,
        "country": number.country,
        "area": number.area,
        "trunk": number.trunk_name if is_operator else None,
        "account": number.account_auth_id,
        "subaccount": number.subaccount_auth_id,
        "pool": number.pool_name,
        "state": state,
        "created_at": instant(number.created_at),
        "draining_at": optional_instant(number.draining_at),
    }


def number_routes(api: NumbersAPI) -> tuple[Route, ...]:
    """The rows of the table."""
    return (
        Route(
            path="/numbers",
            method="GET",
            name="list_numbers",
            operation=api.list_numbers,
            permission=Permission.NUMBERS_READ,
            reach=Reach.EITHER,
            query=NumberQuery,
            response=ListOf[NumberView],
        ),
        Route(
            path="/numbers",
            method="POST",
            name="add_numbers",
            operation=api.add_numbers,
            permission=Permission.NUMBERS_WRITE,
            reach=Reach.OPERATOR,
            request=NewNumbersRequest,
            response=ListOf[NumberView],
            status=201,
            problems=("number-is-party", "numbers-taken"),
        ),
        Route(
            path="/numbers/{e164}",
            method="GET",
            name="get_number",
            operation=api.get_number,
            permission=Permission.NUMBERS_READ,
            reach=Reach.EITHER,
            response=NumberView,
        ),
        Route(
            path="/numbers/{e164}",
            method="PATCH",
            name="change_number",
            operation=api.change_number,
            permission=Permission.NUMBERS_WRITE,
            reach=Reach.EITHER,
            request=NumberChangesRequest,
            response=NumberView,
        ),
        Route(
            path="/numbers/{e164}/drain",
            method="POST",
            name="drain_number",
            operation=api.drain_number,
            permission=Permission.NUMBERS_WRITE,
            reach=Reach.OPERATOR,
            response=NumberDrainingView,
        ),
        Route(
            path="/numbers/{e164}",
            method="DELETE",
            name="remove_number",
            operation=api.remove_number,
            permission=Permission.NUMBERS_WRITE,
            reach=Reach.OPERATOR,
            query=RemovalQuery,
            response=NumberRemovedView,
            problems=("number-in-use",),
        ),
    )
