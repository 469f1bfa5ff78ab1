"""`maskline delivery ...`."""

from typing import Annotated, Literal

from cyclopts import App, Parameter

from maskline.cli.context import Context, found
from maskline.cli.number import find_account
from maskline.cli.remote import deliveries as remote
from maskline.clock import to_datetime
from maskline.core.delivery import (
    DELIVERY_LIST_LIMIT_MAX,
    Delivery,
    DeliveryFilter,
    DeliveryNotFound,
    DeliveryState,
    DeliveryUnfinished,
    EndpointUnavailable,
)
from maskline.errors import InputError, RefusedError
from maskline.store.engine import Tx
from maskline.workflows import deliveries as work

StateName = Literal["pending", "leased", "delivered", "dead", "cancelled"]


def add_commands(app: App, context: Context) -> None:
    """Register the group."""
    group = App(name="delivery", help="Events on their way to callbacks and webhooks.")
    app.command(group)

    @group.command(name="list")
    def list_some(
        *,
        state: Annotated[StateName | None, Parameter(show_choices=True)] = None,
        account: str | None = None,
        limit: int = DELIVERY_LIST_LIMIT_MAX,
        before: str | None = None,
    ) -> None:
        """List deliveries, newest first.

        Args:
            state: Only those in this state; `dead` for what was given up.
            account: Name or auth id of the only account to look at.
            limit: How many at most.
            before: Id of the delivery to go on after.
        """
        if not 1 <= limit <= DELIVERY_LIST_LIMIT_MAX:
            raise InputError(f"--limit: 1 to {DELIVERY_LIST_LIMIT_MAX}")
        wanted = None if state is None else DeliveryState(state)
        rows = [
            _describe(it)
            for it in context.perform(_list, remote.list_deliveries, account, wanted, limit, before)
        ]
        columns = ("delivery", "event", "state", "attempt_count", "last_status", "last_error", "url")
        context.answer_table(rows, columns, "There are no deliveries.")

    @group.command(name="replay")
    def replay(
        delivery: str | None = None,
        /,
        *,
        all_dead: Annotated[bool, Parameter(negative="")] = False,
        account: str | None = None,
    ) -> None:
        """Send a finished delivery again under its old id, or all that are dead.

        Args:
            delivery: Id of the delivery.
            all_dead: Every dead delivery whose webhook still takes it.
            account: Name or auth id of the only account to look at.
        """
        if all_dead == (delivery is not None):
            raise InputError("give either the id of a delivery or --all-dead")
        if delivery is None:
            count = _replay_all(context, account)
            context.answer({"replayed_count": count}, f"{count} deliveries replayed")
            return
        replayed = context.perform(_replay, remote.replay_delivery, delivery, account, context.clock.now())
        match replayed:
            case DeliveryNotFound():
                found(None, "delivery", delivery)
            case DeliveryUnfinished():
                raise RefusedError("the delivery is still being tried")
            case EndpointUnavailable():
                raise RefusedError("the delivery's webhook is disabled or removed")
            case Delivery():
                context.answer(_describe(replayed), f"delivery {delivery} replayed")


def _replay_all(context: Context, account: str | None) -> int:
    """Replay by the batch, so that calls find the database free in between."""
    count = 0
    while replayed := context.perform(_replay_dead, remote.replay_dead, account, context.clock.now()):
        count += replayed
    return count


def _list(
    tx: Tx, account: str | None, state: DeliveryState | None, limit: int, before: str | None
) -> tuple[Delivery, ...]:
    account_id = _account_id(tx, account)
    last = None
    if before is not None:
        seen = work.load_delivery(tx, before, account_id)
        last = found(None if isinstance(seen, DeliveryNotFound) else seen.id, "delivery", before)
    return work.list_deliveries(
        tx, DeliveryFilter(account_id=account_id, state=state, before=last, limit=limit)
    )


def _replay(tx: Tx, delivery: str, account: str | None, now: int) -> Delivery | work.ReplayRefused:
    return work.replay_delivery(tx, delivery, _account_id(tx, account), now)


def _replay_dead(tx: Tx, account: str | None, now: int) -> int:
    return work.replay_dead_deliveries(tx, _account_id(tx, account), now)


def _account_id(tx: Tx, account: str | None) -> int | None:
    return None if account is None else find_account(tx, account).id


def _describe(delivery: Delivery) -> dict[str, object]:
    return {
        "delivery": delivery.message_id,
        "account": delivery.auth_id,
        "event": delivery.kind.value,
        "session": delivery.session_id,
        "call": delivery.call_id,
        "sequence": delivery.sequence,
        "occurred_at": _time(delivery.occurred_at),
        "dialect": delivery.dialect.value,
        "webhook": delivery.endpoint_id,
        "url": delivery.url,
        "method": delivery.method.value,
        "state": delivery.state.value,
        "attempt_count": delivery.attempt_count,
        "next_attempt_at": _time(delivery.next_at) if delivery.finished_at is None else None,
        "first_attempt_at": _time(delivery.first_attempt_at),
        "last_attempt_at": _time(delivery.last_attempt_at),
        "finished_at": _time(delivery.finished_at),
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
    }


def _time(instant: int | None) -> str | None:
    return None if instant is None else to_datetime(instant).isoformat(timespec="milliseconds")
