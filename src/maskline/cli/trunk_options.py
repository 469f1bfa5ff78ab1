"""What `maskline trunk add` and `maskline trunk set` are told, and what a trunk becomes by it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypeVar

from cyclopts import Parameter

from maskline.cli.account import SecretOption, check_country, read_secret
from maskline.cli.trunk_texts import check_host, parse_codecs, parse_networks, parse_target, split
from maskline.core.inventory import DialledFrom, NumberFormat, Registration, Target, Transport, TrunkSettings
from maskline.core.secret import Secret
from maskline.core.trunk_text import (
    CALL_COUNT_MAX,
    DIAL_PREFIX,
    EXPIRES_S_MAX,
    EXPIRES_S_MIN,
    TEXT_LENGTH_MAX,
)
from maskline.errors import InputError
from maskline.store.trunks import TARGET_COUNT_MAX

NOTHING = "none"  # takes a setting away
_PREFIX = re.compile(DIAL_PREFIX)

Several = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]
"""`--accept A B`, `--accept A --accept B` and `--accept A,B` are the same."""
Format = Literal["plus", "digits", "national", "00"]
S = TypeVar("S")
T = TypeVar("T")


def _help(text: str) -> Parameter:
    return Parameter(help=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkOptions:
    """The options; one that is not given leaves things as they are."""

    peer: Annotated[str | None, _help("Where calls are sent (HOST:PORT): the same as one --target.")] = None
    target: Annotated[
        Several,
        _help(
            "Where calls are sent: HOST[:PORT][;transport=..][;priority=..][;weight=..]; may be given several "
            "times. A name without port is looked up by SRV; the lowest priority goes first, weights are shares."
        ),
    ] = ()
    transport: Annotated[
        Literal["udp", "tcp", "tls"] | None, _help("How targets are reached that do not say it; default udp.")
    ] = None
    accept: Annotated[
        Several, _help("Addresses or networks calls may come from; by default the targets' addresses.")
    ] = ()
    media_network: Annotated[
        Several, _help("Addresses or networks media may come from besides the signalled address, or none.")
    ] = ()
    country: Annotated[
        str | None, _help("Where the trunk's numbers without country code belong (two letters); default IN.")
    ] = None
    codec: Annotated[
        Several, _help("Codecs to allow, in order: PCMU, PCMA, G722, opus, G729; by default all.")
    ] = ()
    number_format: Annotated[
        Format | None,
        _help("How numbers are written and read: plus, digits, national or 00; default plus."),
    ] = None
    caller_format: Annotated[
        Format | Literal["none"] | None,
        _help("The same for callers, where it differs; none: as all numbers."),
    ] = None
    dial_prefix: Annotated[str | None, _help("Digits, * or # before every dialled number, or none.")] = None
    user_phone: Annotated[
        bool | None, _help("Whether our addresses with numbers say user=phone; default no.")
    ] = None
    dialled_from: Annotated[
        Literal["request-uri", "to"] | None,
        _help("Where the peer puts the dialled number; default request-uri."),
    ] = None
    trust_identity: Annotated[
        bool | None, _help("Whether the peer's P-Asserted-Identity is the caller; default yes.")
    ] = None
    send_asserted: Annotated[
        bool | None,
        _help("Whether calls to the peer carry the virtual number as P-Asserted-Identity, too; default no."),
    ] = None
    from_host: Annotated[
        str | None, _help("The domain the peer knows us by, in From and when registering, or none.")
    ] = None
    username: Annotated[str | None, _help("For digest authentication towards the peer, or none.")] = None
    password: Annotated[SecretOption, _help('Likewise; read from standard input when "-".')] = None
    realm: Annotated[
        str | None, _help("The only realm that gets the credentials, or none: the first that asks for them.")
    ] = None
    register: Annotated[bool | None, _help("Whether to register with the peer; default no.")] = None
    registrar: Annotated[
        str | None, _help("Where to register, written as a target; none: with every target.")
    ] = None
    register_expires: Annotated[
        int | None, _help("Seconds for which a registration is asked for; default 600.")
    ] = None
    health_check: Annotated[
        bool | None, _help("Whether targets are asked twice a minute if they are there; default yes.")
    ] = None
    max_calls: Annotated[
        str | None, _help("Legs at one time on this trunk, of which a call has one or two; or none.")
    ] = None


def read_password(options: TrunkOptions) -> TrunkOptions:
    """Read the password from standard input where that is wanted. Raises InputError."""
    return replace(options, password=read_secret(options.password))


def change_settings(settings: TrunkSettings, options: TrunkOptions) -> TrunkSettings:
    """Give a trunk what the options say, their password read already.

    Raises InputError, also for what does not fit together.
    """
    changed = replace(
        settings,
        targets=_targets(settings, options),
        accept=parse_networks("--accept", options.accept) or settings.accept,
        media_networks=_list(options.media_network, settings.media_networks, "--media-network"),
        country=settings.country if options.country is None else check_country(options.country),
        codecs=parse_codecs(options.codec) or settings.codecs,
        number_format=_or(options.number_format, settings.number_format, NumberFormat),
        caller_format=_optional(options.caller_format, settings.caller_format, NumberFormat),
        dial_prefix=_optional(options.dial_prefix, settings.dial_prefix, _check_prefix) or "",
        sends_user_phone=_or(options.user_phone, settings.sends_user_phone, bool),
        dialled_from=_or(options.dialled_from, settings.dialled_from, _dialled_from),
        is_trusted_for_identity=_or(options.trust_identity, settings.is_trusted_for_identity, bool),
        sends_asserted=_or(options.send_asserted, settings.sends_asserted, bool),
        from_host=_optional(
            options.from_host, settings.from_host, lambda text: check_host(text, "--from-host")
        ),
        username=_optional(options.username, settings.username, lambda text: _check_text(text, "--username")),
        password=_password(settings, options),
        realm=_optional(options.realm, settings.realm, lambda text: _check_text(text, "--realm")),
        registration=_registration(settings, options),
        has_health_check=_or(options.health_check, settings.has_health_check, bool),
        max_calls=_optional(options.max_calls, settings.max_calls, _check_max_calls),
    )
    if (changed.username is None) != (changed.password is None):
        raise InputError("--username and --password belong together")
    if changed.registration is not None and changed.username is None:
        raise InputError("--register needs --username and --password")
    return changed


def _targets(settings: TrunkSettings, options: TrunkOptions) -> tuple[Target, ...]:
    given = split(options.target)
    if options.peer is not None:
        if given:
            raise InputError("--peer and --target do not go together")
        if not re.search(r":[0-9]+$", options.peer.strip()):
            raise InputError("--peer: expected HOST:PORT")
    transport = Transport(options.transport or Transport.UDP)
    if options.peer is not None:
        return (parse_target(options.peer, "--peer", transport),)
    if len(given) > TARGET_COUNT_MAX:
        msg = f"--target: at most {TARGET_COUNT_MAX} targets"
        raise InputError(msg)
    if given:
        targets = tuple(parse_target(text, "--target", transport) for text in given)
        if len({replace(each, priority=0, weight=0) for each in targets}) < len(targets):
            raise InputError("--target: the same target twice")
        return targets
    if options.transport is None:
        return settings.targets
    return tuple(replace(target, transport=transport) for target in settings.targets)


def _registration(settings: TrunkSettings, options: TrunkOptions) -> Registration | None:
    wants = options.register
    if wants is None:
        wants = settings.registration is not None
    if not wants:
        if options.registrar is not None or options.register_expires is not None:
            raise InputError("--registrar and --register-expires need --register")
        return None
    known = settings.registration or Registration()
    transport = Transport(options.transport or Transport.UDP)
    return Registration(
        registrar=_optional(
            options.registrar, known.registrar, lambda text: parse_target(text, "--registrar", transport)
        ),
        expires_s=_or(options.register_expires, known.expires_s, _check_expires),
    )


def _password(settings: TrunkSettings, options: TrunkOptions) -> Secret | None:
    if options.password is not None:
        return Secret(options.password)
    return None if options.username == NOTHING else settings.password


def _or(given: S | None, known: T, parse: Callable[[S], T]) -> T:
    """What was given, read by `parse`, or what was there."""
    return known if given is None else parse(given)


def _optional(given: str | None, known: T | None, parse: Callable[[str], T]) -> T | None:
    """Likewise, where a word takes the setting away."""
    if given is None or given == NOTHING:
        return known if given is None else None
    return parse(given)


def _list(given: tuple[str, ...], known: tuple[str, ...], option: str) -> tuple[str, ...]:
    if given == (NOTHING,):
        return ()
    return parse_networks(option, given) or known


def _dialled_from(text: str) -> DialledFrom:
    return DialledFrom(text.replace("-", "_"))


def _check_prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise InputError("--dial-prefix: 1 to 16 digits, * or #")
    return text


def _check_text(text: str, option: str) -> str:
    if not text or not text.isprintable() or len(text) > TEXT_LENGTH_MAX:
        msg = f"{option}: 1 to {TEXT_LENGTH_MAX} printable characters"
        raise InputError(msg)
    return text


def _check_expires(seconds: int) -> int:
    if not EXPIRES_S_MIN <= seconds <= EXPIRES_S_MAX:
        msg = f"--register-expires: {EXPIRES_S_MIN} to {EXPIRES_S_MAX} seconds"
        raise InputError(msg)
    return seconds


def _check_max_calls(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= CALL_COUNT_MAX:
        raise InputError("--max-calls: a number from 1, or none")
    return int(text)
