"""Accounts and their sub-accounts."""

from functools import cache
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from maskline.api.native.models.common import (
    AccountId,
    Country,
    Instant,
    Name,
    Request,
    Resource,
    SecretText,
    SubaccountId,
    Url,
)
from maskline.core.inventory import AllocationPolicy, CooloffScope

RefusalPrompt = Annotated[
    Literal["built-in"] | Url,
    Field(description="What callers hear who are refused: the URL of an mp3 or wav, or built-in."),
]
PolicyField = Annotated[AllocationPolicy, Field(strict=False, description="How the next number is chosen.")]
CooloffField = Annotated[
    CooloffScope,
    Field(strict=False, description="Whom a cooling number is kept from: the parties, or everybody."),
]
AuthToken = Annotated[str, Field(pattern=r"^[!-~]{16,128}$", json_schema_extra={"format": "password"})]


_known_timezones = cache(available_timezones)  # which opens hundreds of files each time


def _check_timezone(name: str) -> str:
    known = _known_timezones()
    if known and name not in known:  # a machine without time zone data cannot tell
        raise PydanticCustomError("time_zone", "Expected a time zone such as Asia/Kolkata.")
    return name


TimeZone = Annotated[
    str, Field(min_length=1, max_length=64, pattern=r"^[!-~]+$"), AfterValidator(_check_timezone)
]


class NewAccountRequest(Request):
    """What is asked of POST accounts; an id or token that is not given is drawn."""

    name: Name
    auth_id: AccountId | None = None
    auth_token: Annotated[AuthToken | None, Field(repr=False)] = None
    country: Country = "IN"
    timezone: TimeZone = "Asia/Kolkata"
    policy: PolicyField = AllocationPolicy.FIRST_FIT
    cooloff_scope: CooloffField = CooloffScope.PARTY


class AccountChanges(Request):
    """What is asked of PATCH accounts/{auth_id}; what is left out stays, null takes the prompt away."""

    country: Country | None = None
    timezone: TimeZone | None = None
    policy: PolicyField | None = None
    cooloff_scope: CooloffField | None = None
    refusal_prompt: RefusalPrompt | None = None
    strict_pins: bool | None = None


class AccountView(Resource):
    """A tenant, without its token."""

    object: Literal["account"] = "account"
    auth_id: str
    name: str
    country: str
    timezone: str
    policy: AllocationPolicy
    cooloff_scope: CooloffScope
    refusal_prompt: str | None
    strict_pins: bool
    created_at: Instant


class OwnAccount(AccountView):
    """The account that the credentials open, or that the header names."""

    subaccount: Annotated[SubaccountId | None, Field(description="Whose things alone may be seen.")]


class AccountWithToken(AccountView):
    """An account just made, or its token just rotated: the token is shown this once."""

    auth_token: SecretText


class NewSubaccount(Request):
    """What is asked of POST subaccounts."""

    name: Name


class SubaccountView(Resource):
    """A part of an account with credentials of its own, without its token."""

    object: Literal["subaccount"] = "subaccount"
    auth_id: str
    account: str
    name: str
    created_at: Instant


class SubaccountWithToken(SubaccountView):
    """A sub-account just made, or its token just rotated: the token is shown this once."""

    auth_token: SecretText
