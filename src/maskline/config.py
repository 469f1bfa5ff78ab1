"""The service's settings: defaults < maskline.toml < MASKLINE_* < flags; what nobody knows is an error.

Nobody but the composition root and the command line reads `Settings`; everything else gets plain values.
"""

import difflib
import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from maskline.config_types import (
    Address,
    BindAddress,
    BindAddresses,
    Hosts,
    LogFormat,
    LogLevel,
    Networks,
    PortRange,
    Ports,
    RecordingChannels,
)
from maskline.core.deepcall import (
    EXPIRY_MINUTES_DEFAULT,
    EXPIRY_MINUTES_MAX,
    UNSET_COUNT_MAX,
    DeepCallErrorStatus,
    DeepCallRecord,
    DeepCallRepeat,
    SuccessShape,
)
from maskline.core.pin import CALLER_LIMIT, NUMBER_LIMIT
from maskline.errors import ConfigError

CONFIG_FILE_NAME = "maskline.toml"
CONFIG_BYTES_MAX = 1_000_000  # a hand-written file; anything larger is the wrong file
ENVIRONMENT_PREFIX = "MASKLINE_"
ENVIRONMENT_CONFIG = "MASKLINE_CONFIG"  # names the file, so it is not itself a setting
ENVIRONMENT_REMOTE = ("MASKLINE_SERVER", "MASKLINE_API_KEY")  # of commands that are carried out elsewhere
ENVIRONMENT_TESTS = "MASKLINE_TEST_"  # switches of the test suite, which runs the command with them
DAY_S = 86_400
RECORDING_LINKS_S_MAX = 30 * 86_400  # a month; whoever needs one for longer has credentials
_DATABASES = ("sqlite:", "postgresql:", "postgresql+psycopg:")
_PATH_SETTINGS = frozenset({"data_dir", "key_file", "sip_tls_cert", "sip_tls_key", "sip_tls_ca"})


def _at_most_one_each(hosts: tuple[str, ...], name: str) -> None:
    versions = [6 if ":" in host else 4 for host in hosts]
    if len(set(versions)) != len(versions):
        msg = f"{name}: at most one IPv4 and one IPv6 address"
        raise ValueError(msg)


class Settings(BaseSettings):
    """Everything about the process that is not data."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENVIRONMENT_PREFIX,
        env_ignore_empty=True,
        enable_decoding=False,  # lists are comma separated here, not JSON
    )

    data_dir: Path = Field(Path("var"), description="Directory of database, key file and recordings.")
    database_url: str = Field(
        "",
        description="sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME; empty: maskline.db in data_dir.",
    )
    key_file: Path | None = Field(None, description="Key that seals numbers and tokens; default in data_dir.")
    http_bind: BindAddress = Field(Address("127.0.0.1", 8080), description="Where HTTP listens (HOST:PORT).")
    sip_bind: BindAddresses = Field(
        (Address("127.0.0.1", 5060),),
        description="Where SIP listens, UDP and TCP (HOST:PORT); a comma separates IPv4 and IPv6.",
    )
    sip_advertise: BindAddresses = Field(
        (),
        description="What carriers are told to reach, in the order of sip_bind; default sip_bind.",
    )
    sip_tls_bind: BindAddress | None = Field(None, description="Where SIP over TLS listens (HOST:PORT).")
    sip_tls_advertise: BindAddress | None = Field(
        None,
        description="What carriers are told to reach by TLS, a name of the certificate at best (HOST:PORT).",
    )
    sip_tls_cert: Path | None = Field(None, description="PEM file: certificate chain for SIP over TLS.")
    sip_tls_key: Path | None = Field(None, description="PEM file: private key for SIP over TLS.")
    sip_tls_ca: Path | None = Field(
        None, description="PEM file: authorities that sign carriers' certificates; default the system's."
    )
    sip_edges: Networks = Field(
        (),
        description="SIP proxies of your own (addresses or networks) that say in X-Maskline-Source who called.",
    )
    sandbox_bind: BindAddress = Field(
        Address("127.0.0.1", 5070),
        description="Where the sandbox carrier of serve --sandbox listens (HOST:PORT).",
    )
    rtp_bind: Hosts = Field(
        ("127.0.0.1",), description="Local addresses of media; a comma separates IPv4 and IPv6."
    )
    rtp_advertise: Hosts = Field(
        (), description="Addresses announced for media, in the order of rtp_bind; by default rtp_bind itself."
    )
    rtp_ports: Ports = Field(PortRange(20_000, 29_999), description="UDP ports of media (FIRST-LAST).")
    public_url: str = Field("", description="Base of links in answers; by default http:// and http_bind.")
    calls_max: int = Field(400, ge=1, le=100_000, description="Calls at one time; beyond, carriers hear 503.")
    new_calls_per_s_max: int = Field(
        600, ge=1, le=100_000, description="INVITEs let in each second; beyond, carriers hear 503."
    )
    outbound_allowed_networks: Networks = Field(
        (),
        description="Private networks (CIDR, comma separated) that webhooks and prompts may be on; default none.",
    )
    recording_storage: str = Field(
        "local", description="Where recordings are kept: local (in data_dir), or s3://BUCKET/PREFIX."
    )
    recording_s3_endpoint: str = Field(
        "", description="URL of an S3-compatible service; by default Amazon's in the region."
    )
    recording_s3_region: str = Field(
        "", description="Region of the bucket; by default as the AWS tools find it."
    )
    recording_channels: RecordingChannels = Field(
        RecordingChannels.STEREO, description="stereo (caller left, callee right) or mono."
    )
    recording_links_s: int = Field(
        0,
        ge=0,
        le=RECORDING_LINKS_S_MAX,
        description="How long links to recordings in callbacks work without credentials; 0: they need them.",
    )
    recording_free_mb_min: int = Field(
        1024, ge=0, le=10_000_000, description="Free disk space (MB) below which no further call is recorded."
    )
    pin_caller_tries_max: int = Field(
        CALLER_LIMIT.wrong_count_max,
        ge=1,
        le=1000,
        description="Wrong PINs of one caller on a number, within pin_caller_window_s; then it is refused.",
    )
    pin_caller_window_s: int = Field(
        CALLER_LIMIT.window_s, ge=1, le=DAY_S, description="Seconds from a caller's first wrong PIN."
    )
    pin_number_tries_max: int = Field(
        NUMBER_LIMIT.wrong_count_max,
        ge=1,
        le=100_000,
        description="Wrong PINs of all strangers on a number, within pin_number_window_s; then all are refused.",
    )
    pin_number_window_s: int = Field(
        NUMBER_LIMIT.window_s, ge=1, le=DAY_S, description="Seconds from a number's first wrong PIN."
    )
    deepcall_expiry_minutes: int = Field(
        EXPIRY_MINUTES_DEFAULT,
        ge=1,
        le=EXPIRY_MINUTES_MAX,
        description="DeepCall: minutes that a mask lasts when its client does not say.",
    )
    deepcall_repeat: DeepCallRepeat = Field(
        DeepCallRepeat.REFUSE,
        description="DeepCall: refuse (1503) a set whose two numbers have a live mask, or reuse that mask.",
    )
    deepcall_error_status: DeepCallErrorStatus = Field(
        DeepCallErrorStatus.OK,
        description="DeepCall: HTTP status of errors: 200, or 4xx for one that fits (5xx where we failed).",
    )
    deepcall_success_shape: SuccessShape = Field(
        SuccessShape.UNION, description="DeepCall: body of a success: union, data, top or mask."
    )
    deepcall_own_numbers: bool = Field(
        True,  # noqa: FBT003  # a default
        description="DeepCall: true gives a mask a number without other live masks while there is one, or false.",
    )
    deepcall_record: DeepCallRecord = Field(
        DeepCallRecord.NO,
        description="DeepCall: whether calls under new masks are recorded, and as what: no, mp3 or wav.",
    )
    deepcall_unset_max: int = Field(
        1, ge=1, le=UNSET_COUNT_MAX, description="DeepCall: masks that an unset without m1 and m2 may end."
    )
    drain_s: int = Field(
        60,
        ge=0,
        le=DAY_S,
        description="Seconds that running calls may go on after SIGTERM while new ones hear 503.",
    )
    log_level: LogLevel = Field(LogLevel.INFO, description="Least severe events logged.")
    log_format: LogFormat = Field(LogFormat.AUTO, description="auto, json or console.")

    @model_validator(mode="after")
    def _check(self) -> "Settings":
        _at_most_one_each(tuple(address.host for address in self.sip_bind), "sip_bind")
        _at_most_one_each(self.rtp_bind, "rtp_bind")
        for name, bound, told in (
            ("sip", self.sip_bind, self.sip_advertise),
            ("rtp", self.rtp_bind, self.rtp_advertise),
        ):
            if not bound:
                msg = f"{name}_bind: at least one address"
                raise ValueError(msg)
            if told and len(told) != len(bound):
                msg = f"{name}_advertise: as many addresses as {name}_bind, in the same order"
                raise ValueError(msg)
        if self.database_url and not self.database_url.startswith(_DATABASES):
            msg = "database_url: expected sqlite:///PATH or postgresql://..."
            raise ValueError(msg)
        if self.public_url and urlsplit(self.public_url).scheme not in ("http", "https"):
            msg = "public_url: expected http://... or https://..."
            raise ValueError(msg)
        if self.sip_tls_bind is not None and (self.sip_tls_cert is None or self.sip_tls_key is None):
            msg = "sip_tls_bind needs sip_tls_cert and sip_tls_key"
            raise ValueError(msg)
        return self

    @property
    def effective_database_url(self) -> str:
        """The database in use, with its password if it has one."""
        return self.database_url or f"sqlite:///{self.data_dir / 'maskline.db'}"

    @property
    def effective_key_file(self) -> Path:
        """The key file in use."""
        return self.key_file or self.data_dir / "maskline.key"

    @property
    def effective_sip_advertise(self) -> tuple[Address, ...]:
        """What peers are told; raises ConfigError where only a wildcard is known."""
        told = self.sip_advertise or self.sip_bind
        if any(address.is_wildcard for address in told):
            raise ConfigError(
                "sip_bind listens on every address, so MASKLINE_SIP_ADVERTISE must say which to announce"
            )
        return told

    @property
    def effective_rtp_advertise(self) -> tuple[str, ...]:
        """Media addresses peers are told; raises ConfigError where only a wildcard is known."""
        told = self.rtp_advertise or self.rtp_bind
        if any(ipaddress.ip_address(host).is_unspecified for host in told):
            raise ConfigError(
                "rtp_bind listens on every address, so MASKLINE_RTP_ADVERTISE must say which to announce"
            )
        return told

    @property
    def effective_public_url(self) -> str:
        """Base of links in answers, without a final slash."""
        return (self.public_url or f"http://{self.http_bind}").rstrip("/")


def load_settings(config: Path | None = None, flags: Mapping[str, object] | None = None) -> Settings:
    """Merge defaults, file, environment and flags, the later winning.

    `config` must exist when given (flag or MASKLINE_CONFIG); else `maskline.toml` in the working directory is
    read if it is there. Relative paths in the file count from the file. Raises ConfigError.
    """
    named = config or (Path(os.environ[ENVIRONMENT_CONFIG]) if os.environ.get(ENVIRONMENT_CONFIG) else None)
    path = named or Path(CONFIG_FILE_NAME)
    in_file = _read_file(path) if named is not None or path.is_file() else {}
    _refuse_unknown_environment()

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *args: Any, **sources: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del args  # pydantic-settings passes every source by name
            return (
                sources["init_settings"],
                sources["env_settings"],
                InitSettingsSource(settings_cls, in_file),
            )

    given = {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        loaded = Loaded(**given)  # type: ignore[arg-type]  # validated right here
    except ValidationError as error:
        raise ConfigError(_explain(error)) from None
    return Settings.model_construct(**dict(loaded))  # equal settings are equal, whatever file they came from


def render_settings(settings: Settings) -> dict[str, str | int | None]:
    """Every effective value as text or number; a password in the database URL is hidden."""
    told = settings.model_dump() | {
        "database_url": hide_password(settings.effective_database_url),
        "key_file": settings.effective_key_file,
        "sip_advertise": settings.sip_advertise or settings.sip_bind,
        "rtp_advertise": settings.rtp_advertise or settings.rtp_bind,
        "public_url": settings.effective_public_url,
        "http_bind": settings.http_bind,
        "sip_bind": settings.sip_bind,
        "sip_tls_bind": settings.sip_tls_bind,
        "sip_tls_advertise": settings.sip_tls_advertise,
        "sandbox_bind": settings.sandbox_bind,
        "rtp_ports": settings.rtp_ports,
    }
    return {name: _render_value(value) for name, value in told.items()}


def hide_password(url: str) -> str:
    """The URL with `***` for its password and without its query, which may carry one too."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url.partition("?")[0]
    user = parts.netloc.rpartition("@")[0].partition(":")[0]
    return f"{parts.scheme}://{user}:***@{parts.netloc.rpartition('@')[2]}{parts.path}"


def _render_value(value: Any) -> str | int | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Address | PortRange):
        return str(value)
    if isinstance(value, tuple | list):
        return ",".join(str(part) for part in value)
    return str(value)


def _read_file(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            text = file.read(CONFIG_BYTES_MAX + 1)
        if len(text) > CONFIG_BYTES_MAX:
            msg = f"{path} is larger than {CONFIG_BYTES_MAX} bytes"
            raise ConfigError(msg)
        values = tomllib.loads(text.decode("utf-8"))
    except OSError as error:
        msg = f"cannot read the configuration file {path}: {error.strerror}"
        raise ConfigError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is not TOML: {error}"
        raise ConfigError(msg) from error
    _refuse_unknown(values, f"{path}: unknown setting")
    folder = path.resolve().parent
    return {
        name: folder / value if name in _PATH_SETTINGS and isinstance(value, str) else value
        for name, value in values.items()
    }


def _refuse_unknown_environment() -> None:
    ours = [name for name in os.environ if name.upper().startswith(ENVIRONMENT_PREFIX)]
    known = {
        name.upper().removeprefix(ENVIRONMENT_PREFIX).lower(): None
        for name in ours
        if name.upper() not in {ENVIRONMENT_CONFIG, *ENVIRONMENT_REMOTE}
        and not name.upper().startswith(ENVIRONMENT_TESTS)
    }
    _refuse_unknown(known, "unknown setting in the environment", prefix=ENVIRONMENT_PREFIX)


def _refuse_unknown(values: Mapping[str, object], problem: str, *, prefix: str = "") -> None:
    for name in values:
        if name in Settings.model_fields:
            continue
        shown = f"{prefix}{name.upper()}" if prefix else name
        close = difflib.get_close_matches(name, Settings.model_fields, n=1)
        hint = f"; did you mean {prefix}{close[0].upper() if prefix else close[0]}?" if close else ""
        msg = f"{problem}: {shown}{hint}"
        raise ConfigError(msg)


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"][:1])
        text = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{where}: {text}" if where else text)
    return "; ".join(lines)
