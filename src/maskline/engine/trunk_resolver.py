"""What the targets of trunks mean: SRV, then addresses, asked beside the calls and never by them.

A name without port is looked up as a service (SRV), and as a plain name only when there is no such service; a name
with a port as a plain name. The last good answer is kept while a name cannot be looked up, however long that takes:
a carrier outlives its name server.

Source: RFC 3263 section 4 (without NAPTR: the trunk says which transport), RFC 2782.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Container, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver
import structlog

from maskline.core.inventory import Target, Transport
from maskline.core.targets import TargetAddress, address_of, default_port, parse_literal
from maskline.engine.trunk_table import literal_addresses

_log = structlog.get_logger(__name__)

TTL_S_MIN = 30.0  # the shortest lifetime carriers give their names; also when to ask again after a failure
TTL_S_MAX = 3600.0  # a carrier that moves is followed within the hour, whatever it had promised
LOOK_UP_TIMEOUT_S = 5.0  # all names are asked at once, so this is what they can delay a new trunk by
QUERY_TIMEOUT_S = 2.0  # one question; SRV, DNS and the system's own names come one after another
SERVICE_COUNT_MAX = 16  # SRV records of one name
ADDRESS_COUNT_MAX = 8  # addresses of one host; a call tries fewer than that anyway

_SERVICES = {Transport.UDP: "_sip._udp", Transport.TCP: "_sip._tcp", Transport.TLS: "_sips._tcp"}
_WEIGHT_SCALE = 840  # divisible by every count of addresses, so that a host's weight is shared among them

T = TypeVar("T")


class NameUnknownError(Exception):
    """The name, or a record of this kind under it, does not exist: the name server says so."""


class Service(NamedTuple):
    """An SRV record."""

    priority: int
    weight: int
    port: int
    host: str


class Found(NamedTuple):
    """Addresses of a host, and for how long (seconds) that is good."""

    addresses: tuple[str, ...]
    ttl_s: float


class FoundServices(NamedTuple):
    """SRV records of a name, and for how long (seconds) they are good; none: the service is not offered."""

    services: tuple[Service, ...]
    ttl_s: float


class Names(Protocol):
    """A name service. Both raise NameUnknownError, and OSError (TimeoutError) when they cannot say."""

    async def services(self, name: str) -> FoundServices:
        """Look up SRV records."""

    async def addresses(self, host: str) -> Found:
        """Look up addresses of both families."""


class SystemNames:
    """DNS as the system is set up for it, and what else the system knows (its hosts file)."""

    def __init__(self) -> None:
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def services(self, name: str) -> FoundServices:
        """Look up SRV records."""
        answer = await self._ask(name, dns.rdatatype.SRV)
        found = tuple(
            Service(each.priority, each.weight, each.port, each.target.to_text(omit_final_dot=True))
            for each in answer
        )
        if len(found) == 1 and found[0].host in {"", "."}:  # RFC 2782: decidedly not offered
            found = ()
        return FoundServices(tuple(sorted(found)[:SERVICE_COUNT_MAX]), _ttl_of(answer))

    async def addresses(self, host: str) -> Found:
        """Look up addresses: in DNS for the sake of their lifetime, else wherever the system finds them."""
        asked = (dns.rdatatype.A, dns.rdatatype.AAAA)
        answers = await asyncio.gather(*(self._ask(host, kind) for kind in asked), return_exceptions=True)
        found = [answer for answer in answers if isinstance(answer, dns.resolver.Answer)]
        if found:
            texts = tuple(str(record.address) for answer in found for record in answer)
            return Found(texts[:ADDRESS_COUNT_MAX], min(map(_ttl_of, found)))
        return Found((await look_up(host))[:ADDRESS_COUNT_MAX], TTL_S_MIN)

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> dns.resolver.Answer:
        try:
            if self._resolver is None:
                self._resolver = dns.asyncresolver.Resolver()
            return await self._resolver.resolve(name, kind, lifetime=QUERY_TIMEOUT_S)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer) as error:
            raise NameUnknownError from error
        except (dns.exception.DNSException, ValueError) as error:
            raise OSError(type(error).__name__) from error


async def look_up(host: str) -> tuple[str, ...]:
    """Ask the system for the addresses of a name. Raises NameUnknownError, OSError."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(QUERY_TIMEOUT_S):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except socket.gaierror as error:
        if error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}:
            raise NameUnknownError from error
        raise
    return tuple(str(entry[4][0]) for entry in found)


class TargetFinder:
    """Asks a name service what targets mean.

    `local` are the (transport, is IPv6) pairs this switch speaks: addresses of others are of no use.
    """

    def __init__(self, names: Names, local: Container[tuple[str, bool]]) -> None:
        self._names = names
        self._local = local

    async def find(
        self, target: Target, *, has_answer: bool = False
    ) -> tuple[tuple[TargetAddress, ...], float]:
        """Find a target's addresses and for how long (seconds) they are good. Raises NameUnknownError, OSError.

        With an answer of before, a service that cannot be looked up is no reason to try the plain name.
        """
        if parse_literal(target.host) is not None:
            return literal_addresses(target), float("inf")
        if target.port is None:
            services = await self._services(target, has_answer=has_answer)
            if services is not None:
                return await self._look_up_services(target, services)
        port = target.port or default_port(target.transport)
        found = await self._names.addresses(target.host)
        addresses = self._made(target, found, port, priority=0, weight=1)
        if not addresses:
            raise NameUnknownError
        return addresses, found.ttl_s

    async def _services(self, target: Target, *, has_answer: bool) -> FoundServices | None:
        """The SRV records of a name; None to look the plain name up."""
        try:
            return await self._names.services(f"{_SERVICES[target.transport]}.{target.host}")
        except NameUnknownError:
            return None
        except OSError:
            if has_answer:  # better the last answer than calls to where the service may not be
                raise
            return None

    async def _look_up_services(
        self, target: Target, services: FoundServices
    ) -> tuple[tuple[TargetAddress, ...], float]:
        hosts = list(dict.fromkeys(service.host for service in services.services))
        answers = await asyncio.gather(*(_or_none(self._names.addresses(host)) for host in hosts))
        found = {host: answer for host, answer in zip(hosts, answers, strict=True) if answer is not None}
        addresses = tuple(
            address
            for service in sorted(services.services)
            if service.host in found
            for address in self._made(
                target, found[service.host], service.port, priority=service.priority, weight=service.weight
            )
        )
        if hosts and not addresses:
            raise NameUnknownError
        is_complete = len(found) == len(hosts)
        ttl_s = min((services.ttl_s, *(answer.ttl_s for answer in found.values())))
        return addresses, ttl_s if is_complete else TTL_S_MIN

    def _made(
        self, target: Target, found: Found, port: int, *, priority: int, weight: int
    ) -> tuple[TargetAddress, ...]:
        # In an order of their own: name servers turn theirs from one answer to the next.
        usable = sorted(
            {each for each in found.addresses if (target.transport.value, ":" in each) in self._local}
        )
        return tuple(
            address_of(target, each, port, priority=priority, weight=weight * _WEIGHT_SCALE // len(usable))
            for each in usable
        )


@dataclass(slots=True)
class _Known:
    """The last good answer for a target, and when to ask again."""

    addresses: tuple[TargetAddress, ...] = ()
    ask_at_mono_s: float = 0.0


class TrunkResolver:
    """Addresses of targets, remembered for as long as their names are good; `local` as the finder's."""

    def __init__(
        self, names: Names, *, mono_s: Callable[[], float], local: Container[tuple[str, bool]]
    ) -> None:
        self._finder = TargetFinder(names, local)
        self._mono_s = mono_s
        self._known: dict[Target, _Known] = {}

    async def resolve(self, targets: Iterable[Target]) -> dict[Target, tuple[TargetAddress, ...]]:
        """Tell where these targets are now; asks for those whose answer is old, forgets all others."""
        questions = {target: _question(target) for target in targets}
        self._known = {question: self._known.get(question, _Known()) for question in questions.values()}
        now = self._mono_s()
        due = [question for question, known in self._known.items() if known.ask_at_mono_s <= now]
        await asyncio.gather(*(self._renew(question) for question in due))
        return {target: self._known[question].addresses for target, question in questions.items()}

    async def _renew(self, target: Target) -> None:
        known = self._known[target]
        ttl_s = TTL_S_MIN
        try:
            async with asyncio.timeout(LOOK_UP_TIMEOUT_S):
                found, ttl_s = await self._finder.find(target, has_answer=bool(known.addresses))
        except (NameUnknownError, OSError) as error:
            _log.warning(
                "trunk.unresolved",
                host=target.host,
                error=type(error).__name__,
                is_last_answer_kept=bool(known.addresses),
            )
        else:
            known.addresses = found
        known.ask_at_mono_s = self._mono_s() + min(max(ttl_s, TTL_S_MIN), TTL_S_MAX)


def _question(target: Target) -> Target:
    """What is asked for a target: trunks at one carrier ask once, whatever weight they give it."""
    return Target(host=target.host, port=target.port, transport=target.transport)


async def _or_none(asked: Awaitable[T]) -> T | None:
    """What was asked, None when there is no answer: one host of several may be missing."""
    try:
        return await asked
    except (NameUnknownError, OSError):
        return None


def _ttl_of(answer: dns.resolver.Answer) -> float:
    return float(answer.chaining_result.minimum_ttl)  # of all names on the way to the answer
