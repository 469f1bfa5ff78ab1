"""Targets, networks and codecs as an operator writes them."""

import asyncio
import ipaddress
import re
from dataclasses import replace

from maskline.core import trunk_text as core
from maskline.core.inventory import Target, Transport
from maskline.core.trunk_text import NETWORK_COUNT_MAX, PORT_MAX, RANK_MAX
from maskline.errors import InputError

CODECS = {codec.lower(): codec for codec in core.CODECS}
_TARGET = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:;\[\]]+)(?::([0-9]{1,5}))?((?:;[a-z]+=[a-z0-9]+)*)")
_EVERY_WAY = frozenset((transport.value, is_v6) for transport in Transport for is_v6 in (False, True))


def parse_target(text: str, option: str, transport: Transport = Transport.UDP) -> Target:
    """Read HOST[:PORT][;transport=..][;priority=..][;weight=..]; IPv6 in brackets. Raises InputError."""
    match = _TARGET.fullmatch(text.strip())
    if match is None:
        msg = f"{option}: expected HOST[:PORT][;transport=..][;priority=..][;weight=..], got {text!r}"
        raise InputError(msg)
    host, port, rest = match.groups()
    if port is not None and not 1 <= int(port) <= PORT_MAX:
        msg = f"{option}: expected a port from 1 to {PORT_MAX}, got {port}"
        raise InputError(msg)
    target = Target(
        host=check_host(host, option), port=None if port is None else int(port), transport=transport
    )
    for part in filter(None, rest.split(";")):
        name, _, value = part.partition("=")
        target = _with_param(target, name, value, option)
    return target


def render_target(target: Target) -> str:
    """Write a target as `parse_target` reads it, with what is not the default."""
    default = Target(host="")
    host = f"[{target.host}]" if ":" in target.host else target.host
    port = "" if target.port is None else f":{target.port}"
    params = "".join(
        f";{name}={getattr(target, name)}"
        for name in ("transport", "priority", "weight")
        if getattr(target, name) != getattr(default, name)
    )
    return f"{host}{port}{params}"


def check_host(text: str, option: str) -> str:
    """Check an address or a name. Raises InputError."""
    host = core.read_host(text)
    if host is None:
        msg = f"{option}: {text!r} is no address or name that can be reached"
        raise InputError(msg)
    return host


def parse_networks(option: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Read addresses and networks. Raises InputError."""
    if len(texts) > NETWORK_COUNT_MAX:
        msg = f"{option}: at most {NETWORK_COUNT_MAX} networks"
        raise InputError(msg)
    networks = []
    for text in split(texts):
        try:
            networks.append(str(ipaddress.ip_network(text)))
        except ValueError as error:
            msg = f"{option}: {error}"
            raise InputError(msg) from None
    return tuple(dict.fromkeys(networks))


def parse_codecs(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Read names of codecs, in order. Raises InputError."""
    names = split(texts)
    for name in names:
        if name.lower() not in CODECS:
            msg = f"--codec: {name!r} is none of {', '.join(CODECS.values())}"
            raise InputError(msg)
    return tuple(dict.fromkeys(CODECS[name.lower()] for name in names))


def networks_of(targets: tuple[Target, ...]) -> tuple[str, ...]:
    """The targets' own addresses, each a network of one; names are looked up now, once. Raises InputError."""
    from maskline.engine.trunk_resolver import (  # noqa: PLC0415  # DNS is slow to load, and seldom needed
        LOOK_UP_TIMEOUT_S,
        NameUnknownError,
        SystemNames,
        TargetFinder,
    )

    finder = TargetFinder(SystemNames(), _EVERY_WAY)

    async def find() -> list[str]:
        hosts = []
        for target in targets:
            try:
                async with asyncio.timeout(LOOK_UP_TIMEOUT_S):
                    addresses, _ = await finder.find(target)
            except (NameUnknownError, OSError):
                msg = f"cannot look up {target.host!r}; give --accept"
                raise InputError(msg) from None
            hosts += [address.host for address in addresses]
        return hosts

    return tuple(dict.fromkeys(str(ipaddress.ip_network(host)) for host in asyncio.run(find())))


def split(texts: tuple[str, ...]) -> list[str]:
    """Take apart what was given several times, or with commas, or both."""
    return [part.strip() for joined in texts for part in joined.split(",")]


def _with_param(target: Target, name: str, value: str, option: str) -> Target:
    if name == "transport" and value in frozenset(Transport):
        return replace(target, transport=Transport(value))
    if name in {"priority", "weight"} and value.isdecimal() and int(value) <= RANK_MAX:
        rank = int(value)
        return replace(target, priority=rank) if name == "priority" else replace(target, weight=rank)
    msg = (
        f"{option}: transport is udp, tcp or tls, priority and weight are 0 to {RANK_MAX}; got {name}={value}"
    )
    raise InputError(msg)
