"""`maskline account ...`."""

import re
import sys
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from cyclopts import App, Parameter

from maskline.cli.context import Context, found
from maskline.cli.remote import accounts as remote
from maskline.clock import to_datetime
from maskline.core.inventory import (
    PATH_NAME,
    PATH_NAME_LENGTH_MAX,
    Account,
    AllocationPolicy,
    CooloffScope,
    NewAccount,
)
from maskline.core.numbers import is_country_known
from maskline.core.routing import BUILT_IN
from maskline.core.secret import Secret
from maskline.errors import InputError, RefusedError
from maskline.store.engine import Tx
from maskline.workflows.accounts import (
    AccountExists,
    change_account,
    create_account,
    list_accounts,
    load_account,
    rotate_token,
)

NAME_LENGTH_MAX = 100
URL_LENGTH_MAX = 1_000
NO_PROMPT = "none"
SECRET_LENGTH_MAX = 200  # of a line on standard input

# Official Plivo clients refuse ids of any other form.
_AUTH_ID = re.compile(r"MA[0-9A-Za-z]{18}", re.ASCII)
_AUTH_TOKEN = re.compile(r"[!-~]{16,128}", re.ASCII)

SecretOption = Annotated[str | None, Parameter(allow_leading_hyphen=True)]
"""A secret may begin with a hyphen, or be one: then it is read from standard input."""


def add_commands(app: App, context: Context) -> None:
    """Register the group."""
    group = App(name="account", help="Tenants and their credentials.")
    app.command(group)

    @group.command(name="create")
    def create(
        name: str,
        /,
        *,
        auth_id: str | None = None,
        auth_token: SecretOption = None,
        country: str = "IN",
        timezone: str = "Asia/Kolkata",
        policy: Annotated[
            Literal["first_fit", "sticky", "spread"], Parameter(show_choices=True)
        ] = "first_fit",
        cooloff_scope: Literal["party", "number"] = "party",
    ) -> None:
        """Create an account and print its credentials.

        Args:
            name: A name of your own, unique.
            auth_id: MA and 18 letters or digits; drawn when not given.
            auth_token: At least 16 characters; drawn when not given, read from standard input when "-".
            country: Where numbers without country code belong (two letters).
            timezone: For times shown to the account.
            policy: How its next virtual number is chosen.
            cooloff_scope: Whom a cooling number is kept from: the parties only, or everybody.
        """
        new = NewAccount(
            name=check_name(name),
            auth_id=_check("--auth-id", auth_id, _AUTH_ID, "MA and 18 letters or digits"),
            token=_secret(
                _check(
                    "--auth-token", read_secret(auth_token), _AUTH_TOKEN, "16 to 128 characters, no blanks"
                )
            ),
            country=check_country(country),
            timezone=_check_timezone(timezone),
            policy=AllocationPolicy(policy),
            cooloff_scope=CooloffScope(cooloff_scope),
        )
        account = context.perform(create_account, remote.create_account, new, context.clock.now())
        if isinstance(account, AccountExists):
            msg = f"an account with the name {name!r} or this auth id exists already"
            raise RefusedError(msg)
        token = account.token.reveal()
        context.answer(
            {**_describe(account), "auth_token": token},
            f"account     {account.name}",
            f"auth_id     {account.auth_id}",
            f"auth_token  {token}",
        )

    @group.command(name="set")
    def change(
        name: str,
        /,
        *,
        refusal_prompt: str | None = None,
        strict_pins: bool | None = None,
    ) -> None:
        """Show or change what holds for all of an account's numbers.

        Args:
            name: Name or auth id of the account.
            refusal_prompt: What callers hear who are refused: a URL of an mp3 or wav, built-in, or none.
            strict_pins: Put no more PIN sessions on a number than keep a day of guessing below 1 %.
        """
        account = context.perform(
            _change, remote.change_account, name, _check_prompt(refusal_prompt), strict_pins=strict_pins
        )
        context.answer(
            _describe(account),
            f"account         {account.name}",
            f"refusal_prompt  {account.refusal_prompt_url or NO_PROMPT}",
            f"strict_pins     {'yes' if account.has_strict_pins else 'no'}",
        )

    @group.command(name="rotate-token")
    def rotate(name: str, /) -> None:
        """Give an account another token and print it; the old one ends within a second.

        Callbacks are signed with the new one from then on.

        Args:
            name: Name or auth id of the account.
        """
        account = context.perform(_rotate, remote.rotate_token, name)
        token = account.token.reveal()
        context.answer(
            {**_describe(account), "auth_token": token},
            f"account     {account.name}",
            f"auth_id     {account.auth_id}",
            f"auth_token  {token}",
        )

    @group.command(name="list")
    def list_all() -> None:
        """List accounts, without their tokens."""
        rows = [_describe(account) for account in context.perform(list_accounts, remote.list_accounts)]
        context.answer_table(
            rows, ("name", "auth_id", "country", "timezone", "policy"), "There are no accounts."
        )


def _change(tx: Tx, name: str, refusal_prompt_url: str | None, *, strict_pins: bool | None) -> Account:
    account = found(load_account(tx, name=name) or load_account(tx, auth_id=name), "account", name)
    return change_account(tx, account, refusal_prompt_url=refusal_prompt_url, has_strict_pins=strict_pins)


def _rotate(tx: Tx, name: str) -> Account:
    account = found(load_account(tx, name=name) or load_account(tx, auth_id=name), "account", name)
    return found(rotate_token(tx, account.auth_id), "account", name)


def _check_prompt(text: str | None) -> str | None:
    if text is None or text == BUILT_IN:
        return text
    if text == NO_PROMPT:
        return ""
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or not text.isprintable() or " " in text or len(text) > URL_LENGTH_MAX:
        expected = f"an http or https URL of at most {URL_LENGTH_MAX} characters, {BUILT_IN} or {NO_PROMPT}"
        msg = f"--refusal-prompt: expected {expected}"
        raise InputError(msg)
    return text


def check_name(name: str) -> str:
    """A name people can read and type. Raises InputError."""
    if not name.strip() or not name.isprintable() or len(name) > NAME_LENGTH_MAX:
        msg = f"a name has 1 to {NAME_LENGTH_MAX} printable characters"
        raise InputError(msg)
    return name.strip()


def check_path_name(name: str) -> str:
    """A name that stands in paths. Raises InputError."""
    if len(name) > PATH_NAME_LENGTH_MAX or not re.fullmatch(PATH_NAME, name, re.ASCII):
        raise InputError(
            f"a name has 1 to {PATH_NAME_LENGTH_MAX} letters, digits, and blanks, dots, lines or hyphens between them"
        )
    return name


def check_country(country: str) -> str:
    """A country with phone numbers, in capitals. Raises InputError."""
    if not is_country_known(country.upper()):
        raise InputError("--country: expected the two letters (ISO 3166) of a country with phone numbers")
    return country.upper()


def read_secret(text: str | None) -> str | None:
    """The text itself, or a line of standard input when it is "-"."""
    return sys.stdin.readline(SECRET_LENGTH_MAX).strip() if text == "-" else text


def _secret(text: str | None) -> Secret | None:
    return None if text is None else Secret(text)


def _check(option: str, text: str | None, form: re.Pattern[str], said: str) -> str | None:
    if text is not None and not form.fullmatch(text):
        msg = f"{option}: expected {said}"
        raise InputError(msg)
    return text


def _check_timezone(name: str) -> str:
    known = available_timezones()
    if known and name not in known:  # a machine without time zone data cannot tell
        msg = f"--timezone: {name!r} is not a known time zone such as Asia/Kolkata"
        raise InputError(msg)
    return ZoneInfo(name).key if known else name


def _describe(account: Account) -> dict[str, object]:
    return {
        "name": account.name,
        "auth_id": account.auth_id,
        "country": account.country,
        "timezone": account.timezone,
        "policy": account.policy.value,
        "cooloff_scope": account.cooloff_scope.value,
        "refusal_prompt": account.refusal_prompt_url or NO_PROMPT,
        "strict_pins": account.has_strict_pins,
        "created_at": to_datetime(account.created_at).isoformat(),
    }
