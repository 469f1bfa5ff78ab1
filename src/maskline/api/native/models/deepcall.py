"""What opens an account to clients of the DeepCall dialect."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from maskline.api.native.models.common import Instant, Request, Resource, SecretText
from maskline.core.deepcall import OVERLAP_HOURS_DEFAULT, OVERLAP_HOURS_MAX, SSID_DAYS_DEFAULT, SSID_DAYS_MAX

_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400


class NewDeepCallCredentials(Request):
    """What is asked of POST deepcall-credentials: what is missing is made, and drawn anew what is to be."""

    rotate: Annotated[
        Literal["token", "ssid"] | None, Field(description="Draw another token or another ssid.")
    ] = None
    read_only: Annotated[
        bool, Field(description="Make an ssid that only lists masks; not with another token.")
    ] = False
    ssid_expires_in_s: Annotated[int, Field(ge=_DAY_S, le=SSID_DAYS_MAX * _DAY_S)] = (
        SSID_DAYS_DEFAULT * _DAY_S
    )
    overlap_s: Annotated[
        int, Field(ge=0, le=OVERLAP_HOURS_MAX * _HOUR_S, description="How long what is replaced works too.")
    ] = OVERLAP_HOURS_DEFAULT * _HOUR_S

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.read_only and self.rotate == "token":
            raise PydanticCustomError("value", "read_only is about an ssid.")
        return self


class SsidView(Resource):
    """An ssid that works, without its text."""

    object: Literal["ssid"] = "ssid"
    read_only: bool
    created_at: Instant
    expires_at: Instant


class DeepCallCredentialsView(Resource):
    """All that opens the account to the dialect now; an ssid just made is shown this once."""

    object: Literal["deepcall_credentials"] = "deepcall_credentials"
    user_id: str
    token: SecretText
    old_token_until: Annotated[Instant | None, Field(description="Until when the token before works too.")]
    ssid: Annotated[SecretText | None, Field(description="Null where none was made.")]
    ssid_expires_at: Instant | None
    ssids: Annotated[list[SsidView], Field(description="Newest first.")]
