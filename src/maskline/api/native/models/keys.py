"""API keys."""

from typing import Annotated, Literal

from pydantic import Field

from maskline.api.native.models.common import Instant, Name, Request, Resource, SecretText, SubaccountId
from maskline.core.access import KEY_LIFETIME_S_MAX, OVERLAP_S_MAX, Permission


class NewKey(Request):
    """What is asked of POST keys. Without an account, which the header names, it is an operator's key."""

    name: Name
    permissions: Annotated[
        list[Annotated[Permission, Field(strict=False)]],
        Field(min_length=1, max_length=len(Permission), description="What it may; no more than its maker."),
    ]
    subaccount: Annotated[
        SubaccountId | None, Field(description="The sub-account whose key it is, instead of the account's.")
    ] = None
    expires_in_s: Annotated[
        int | None, Field(ge=60, le=KEY_LIFETIME_S_MAX, description="Without it the key does not expire.")
    ] = None


class Rotation(Request):
    """What is asked of POST keys/{id}/rotate."""

    overlap_s: Annotated[
        int, Field(ge=0, le=OVERLAP_S_MAX, description="How long the secret there was works too.")
    ] = 0


class Key(Resource):
    """An API key, without its secret."""

    object: Literal["key"] = "key"
    id: str
    prefix: Annotated[str, Field(description="What its secret begins with.")]
    name: str
    permissions: list[Permission]
    account: Annotated[str | None, Field(description="Null for an operator's key.")]
    subaccount: str | None
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Annotated[Instant | None, Field(description="To the minute.")]
    overlap_until: Annotated[Instant | None, Field(description="Until when the secret before works too.")]


class KeyWithSecret(Key):
    """A key just made or rotated: its secret is shown this once."""

    secret: SecretText
