"""Trunks: interconnects with carriers."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from maskline.api.native.models.common import Country, Instant, PathName, Request, Resource, SecretText
from maskline.core.inventory import DialledFrom, NumberFormat, Transport
from maskline.core.trunk_text import (
    CALL_COUNT_MAX,
    DIAL_PREFIX,
    EXPIRES_S_MAX,
    EXPIRES_S_MIN,
    HOST_LENGTH_MAX,
    NETWORK_COUNT_MAX,
    PORT_MAX,
    RANK_MAX,
    TEXT_LENGTH_MAX,
    read_host,
    read_network,
)

TARGET_COUNT_MAX = 16


def _check_host(text: str) -> str:
    host = read_host(text)
    if host is None:
        raise PydanticCustomError("host", "Expected an address or a name that can be reached.")
    return host


def _check_network(text: str) -> str:
    network = read_network(text)
    if network is None:
        raise PydanticCustomError("network", "Expected an address or a network.")
    return network


Host = Annotated[str, Field(min_length=1, max_length=HOST_LENGTH_MAX + 2), AfterValidator(_check_host)]
Network = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_check_network)]
Networks = Annotated[list[Network], Field(max_length=NETWORK_COUNT_MAX)]
Codec = Literal["PCMU", "PCMA", "G722", "opus", "G729"]
Codecs = Annotated[list[Codec], Field(min_length=1, max_length=5)]
Format = Annotated[NumberFormat, Field(strict=False)]
Dialled = Annotated[DialledFrom, Field(strict=False)]
Prefix = Annotated[str, Field(pattern=f"^({DIAL_PREFIX})?$")]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
CallCount = Annotated[int, Field(ge=1, le=CALL_COUNT_MAX)]


class TargetModel(Request):
    """Where calls may be sent: an address, or a name; without port it is looked up by SRV."""

    host: Host
    port: Annotated[int, Field(ge=1, le=PORT_MAX)] | None = None
    transport: Annotated[Transport, Field(strict=False)] = Transport.UDP
    priority: Annotated[int, Field(ge=0, le=RANK_MAX)] = 10
    weight: Annotated[int, Field(ge=0, le=RANK_MAX)] = 10


class RegistrationModel(Request):
    """That the trunk registers with its carrier; without registrar with each of its targets."""

    registrar: TargetModel | None = None
    expires_s: Annotated[int, Field(ge=EXPIRES_S_MIN, le=EXPIRES_S_MAX)] = 600


Targets = Annotated[list[TargetModel], Field(min_length=1, max_length=TARGET_COUNT_MAX)]


class TrunkChanges(Request):
    """What is asked of PATCH trunks/{name}; what is left out stays, null takes away what may be absent."""

    targets: Targets | None = None
    accept: Annotated[
        Networks | None, Field(description="Where calls may come from; by default the targets' addresses.")
    ] = None
    media_networks: Annotated[
        Networks | None, Field(description="Where media may come from besides the signalled address.")
    ] = None
    country: Country | None = None
    codecs: Codecs | None = None
    number_format: Format | None = None
    caller_format: Annotated[Format | None, Field(description="Null: as all numbers.")] = None
    dial_prefix: Prefix | None = None
    sends_user_phone: bool | None = None
    dialled_from: Dialled | None = None
    trusted_for_identity: bool | None = None
    sends_asserted: bool | None = None
    from_host: Host | None = None
    username: Text | None = None
    password: Annotated[SecretText | None, Field(description="Only ever written.")] = None
    realm: Text | None = None
    registration: Annotated[RegistrationModel | None, Field(description="Null: it does not register.")] = None
    health_check: bool | None = None
    max_calls: CallCount | None = None

    @model_validator(mode="after")
    def _check_password(self) -> "TrunkChanges":
        if self.password is not None and not 1 <= len(self.password.reveal()) <= TEXT_LENGTH_MAX:
            raise PydanticCustomError("value", "A password has 1 to 255 characters.")
        return self


class NewTrunk(TrunkChanges):
    """What is asked of POST trunks."""

    name: PathName
    targets: Targets


class TargetView(Resource):
    """Where calls may be sent."""

    host: str
    port: int | None
    transport: Transport
    priority: int
    weight: int


class RegistrationView(Resource):
    """That the trunk registers."""

    registrar: TargetView | None
    expires_s: int


class TrunkView(Resource):
    """A trunk, without its password."""

    object: Literal["trunk"] = "trunk"
    name: str
    targets: list[TargetView]
    accept: list[str]
    media_networks: list[str]
    country: str
    codecs: list[str]
    number_format: NumberFormat
    caller_format: NumberFormat | None
    dial_prefix: str
    sends_user_phone: bool
    dialled_from: DialledFrom
    trusted_for_identity: bool
    sends_asserted: bool
    from_host: str | None
    username: str | None
    password_set: bool
    realm: str | None
    registration: RegistrationView | None
    health_check: bool
    max_calls: int | None
    created_at: Instant
