"""`maskline webhook ...`."""

import asyncio
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from maskline.cli.context import Context, found
from maskline.cli.number import find_account
from maskline.cli.remote import deliveries as remote
from maskline.clock import to_datetime
from maskline.core.delivery import (
    ENDPOINT_COUNT_MAX,
    Dialect,
    EndpointCheck,
    EndpointCreated,
    EndpointUnconfirmed,
    EndpointURLRefused,
    NewEndpoint,
    TooManyEndpoints,
    WebhookEndpoint,
)
from maskline.core.events import EventKind
from maskline.errors import InputError, RefusedError
from maskline.store.engine import Tx
from maskline.workflows import webhook_endpoints as work

_WRONG_URL: Final = "nothing would ever be sent to this URL ({})"
_UNCONFIRMED: Final = {
    EndpointCheck.UNREACHABLE: (
        "the URL was called and could not be reached; addresses that are not public need outbound_allowed_networks"
    ),
    EndpointCheck.WRONG_STATUS: "the URL was called and did not answer with a status of 200 to 299",
    EndpointCheck.WRONG_WORD: "the URL was called and did not answer with the word GODBLESSYOU",
}


def add_commands(app: App, context: Context) -> None:
    """Register the group."""
    group = App(name="webhook", help="Where accounts want their events told in Maskline's own words.")
    app.command(group)

    @group.command(name="add")
    def add(
        account: str,
        url: str,
        /,
        *,
        event: tuple[str, ...] = (),
        include_numbers: Annotated[bool, Parameter(negative="")] = False,
        format: Literal["native", "deepcall"] = "native",  # noqa: A002  # the option's name
    ) -> None:
        """Add a webhook and print its secret, which is not shown again.

        Args:
            account: Name or auth id of the account.
            url: Where to send events: an http or https URL without fragment.
            event: An event to send, such as call.finished; may be repeated. All events when not given.
            include_numbers: Tell people's numbers there.
            format: In whose words: native, or deepcall for one report per call, with numbers. Before a URL gets
                reports it is called, and must answer with the word GODBLESSYOU.
        """
        new = NewEndpoint(
            url=url,
            kinds=frozenset(_check_event(it) for it in event),
            sends_numbers=include_numbers,
            dialect=Dialect(format),
        )
        if new.dialect is Dialect.DEEPCALL:
            _check_reports(new)
            if (
                context.remote is None
            ):  # else the service elsewhere asks: it is the one that will be heard there
                context.run(_check_account, account)
                _check_receiver(context, new)
        match context.perform(_add, remote.add_webhook, account, new, context.clock.now()):
            case EndpointURLRefused(reason=reason):
                raise InputError(_WRONG_URL.format(reason))
            case EndpointUnconfirmed(found=answer):
                raise RefusedError(_UNCONFIRMED[answer])
            case TooManyEndpoints():
                raise RefusedError(f"the account has {ENDPOINT_COUNT_MAX} webhooks already")
            case EndpointCreated(endpoint=endpoint, secret=secret):
                context.answer(
                    {**_describe(endpoint), "secret": secret.reveal()},
                    f"webhook  {endpoint.id}",
                    f"secret   {secret.reveal()}",
                )

    @group.command(name="list")
    def list_all(account: str, /) -> None:
        """List an account's webhooks, without their secrets.

        Args:
            account: Name or auth id of the account.
        """
        rows = [_describe(it) for it in context.perform(_list, remote.list_webhooks, account)]
        columns = ("webhook", "format", "url", "events", "include_numbers", "disabled_at")
        context.answer_table(rows, columns, "There are no webhooks.")

    @group.command(name="remove")
    def remove(account: str, webhook: str, /) -> None:
        """Remove a webhook; what was still to be sent there is cancelled.

        Args:
            account: Name or auth id of the account.
            webhook: Id of the webhook.
        """
        is_removed = context.perform(_remove, remote.remove_webhook, account, webhook, context.clock.now())
        found(is_removed or None, "webhook", webhook)
        context.answer({"webhook": webhook, "is_removed": True}, f"webhook {webhook} removed")


def _check_event(name: str) -> EventKind:
    try:
        return EventKind(name)
    except ValueError:
        known = ", ".join(kind.value for kind in EventKind)
        raise InputError(f"--event: expected one of {known}") from None


def _check_reports(new: NewEndpoint) -> None:
    if new.kinds:
        raise InputError("--event: reports are of calls, there is nothing to choose")
    if (reason := work.judge_url(new.url)) is not None:
        raise InputError(_WRONG_URL.format(reason))


def _check_receiver(context: Context, new: NewEndpoint) -> None:
    """Ask a receiver of reports whether it is one. Raises RefusedError."""
    from maskline.outbound.client import OutboundClient  # noqa: PLC0415  # only this command makes requests
    from maskline.webhooks.handshake import check_receiver  # noqa: PLC0415

    async def check() -> EndpointCheck:
        async with OutboundClient(allowed_networks=context.settings.outbound_allowed_networks) as client:
            return await check_receiver(client, new.url)

    answer = asyncio.run(check())
    if answer is not EndpointCheck.CONFIRMED:
        raise RefusedError(_UNCONFIRMED[answer])


def _check_account(tx: Tx, account: str) -> None:
    find_account(tx, account)


def _add(
    tx: Tx, account: str, new: NewEndpoint, now: int
) -> EndpointCreated | EndpointURLRefused | EndpointUnconfirmed | TooManyEndpoints:
    return work.create_endpoint(tx, find_account(tx, account).id, new, now)


def _list(tx: Tx, account: str) -> tuple[WebhookEndpoint, ...]:
    return work.list_endpoints(tx, find_account(tx, account).id)


def _remove(tx: Tx, account: str, webhook: str, now: int) -> bool:
    return work.remove_endpoint(tx, find_account(tx, account).id, webhook, now)


def _describe(endpoint: WebhookEndpoint) -> dict[str, object]:
    disabled_at = endpoint.disabled_at
    return {
        "webhook": endpoint.id,
        "url": endpoint.url,
        "events": sorted(endpoint.kinds) or ["all"],
        "include_numbers": endpoint.sends_numbers,
        "format": endpoint.dialect.value,
        "created_at": to_datetime(endpoint.created_at).isoformat(timespec="seconds"),
        "disabled_at": None
        if disabled_at is None
        else to_datetime(disabled_at).isoformat(timespec="seconds"),
    }
