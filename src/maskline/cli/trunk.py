"""`maskline trunk ...`."""

import ipaddress
import socket
from typing import Annotated, Literal

from cyclopts import App, Parameter

from maskline.cli.account import SecretOption, check_country, check_name, read_secret
from maskline.cli.context import Context
from maskline.clock import to_datetime
from maskline.config import Address, parse_address
from maskline.core.inventory import DialledFrom, Target, Transport, Trunk, TrunkSettings
from maskline.core.secret import Secret
from maskline.errors import InputError, RefusedError
from maskline.workflows.trunks import TrunkExists, add_trunk, load_trunks

NETWORKS_MAX = 64  # a carrier publishes a handful; more is a mistake
CODECS = {codec.lower(): codec for codec in ("PCMU", "PCMA", "G722", "opus", "G729")}

Several = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]
"""`--accept A B`, `--accept A --accept B` and `--accept A,B` are the same."""


def add_commands(app: App, context: Context) -> None:
    """Register the group."""
    group = App(name="trunk", help="Interconnects with carriers.")
    app.command(group)

    @group.command(name="add")
    def add(
        name: str,
        /,
        *,
        peer: str,
        accept: Several = (),
        media_network: Several = (),
        transport: Literal["udp", "tcp"] = "udp",
        country: str = "IN",
        codec: Several = (),
        username: str | None = None,
        password: SecretOption = None,
        dialled_from: Literal["request-uri", "to"] = "request-uri",
        trust_identity: bool = True,
        send_asserted: bool = False,
        max_calls: int | None = None,
    ) -> None:
        """Add a trunk.

        Args:
            name: A name of your own, unique.
            peer: Where calls are sent (HOST:PORT).
            accept: Addresses or networks calls may come from; by default the peer's address.
            media_network: Addresses or networks media may come from besides the signalled address.
            transport: How the peer is reached.
            country: Where the trunk's numbers without country code belong (two letters).
            codec: Codecs to allow, in order: PCMU, PCMA, G722, opus, G729; by default all.
            username: For digest authentication towards the peer.
            password: Likewise; read from standard input when "-".
            dialled_from: Where the peer puts the dialled number.
            trust_identity: Whether the peer's P-Asserted-Identity is the caller.
            send_asserted: Whether calls to the peer carry the virtual number as P-Asserted-Identity, too.
            max_calls: Calls at one time on this trunk.
        """
        peer_address = _parse_peer(peer)
        password = read_secret(password)
        if (username is None) != (password is None):
            raise InputError("--username and --password belong together")
        new = TrunkSettings(
            name=check_name(name),
            targets=(Target(host=peer_address.host, port=peer_address.port, transport=Transport(transport)),),
            accept=_parse_networks("--accept", accept) or _networks_of(peer_address),
            media_networks=_parse_networks("--media-network", media_network),
            country=check_country(country),
            codecs=_parse_codecs(codec) or tuple(CODECS.values()),
            is_trusted_for_identity=trust_identity,
            dialled_from=DialledFrom(dialled_from.replace("-", "_")),
            sends_asserted=send_asserted,
            username=username,
            password=None if password is None else Secret(password),
            max_calls=_check_max_calls(max_calls),
        )
        trunk = context.run(add_trunk, new, context.clock.now())
        if isinstance(trunk, TrunkExists):
            msg = f"a trunk named {name!r} exists already"
            raise RefusedError(msg)
        context.answer(
            _describe(trunk), f"trunk {trunk.name} to {peer_address}, accepting {', '.join(trunk.accept)}"
        )

    @group.command(name="list")
    def list_all() -> None:
        """List trunks, without their passwords."""
        rows = [_describe(trunk) for trunk in context.run(load_trunks)]
        context.answer_table(rows, ("name", "peer", "transport", "accept", "country"), "There are no trunks.")


def _parse_peer(text: str) -> Address:
    try:
        address = parse_address(text)
    except ValueError as error:
        msg = f"--peer: {error}"
        raise InputError(msg) from None
    if address.port == 0 or address.is_wildcard:
        raise InputError("--peer: expected an address and a port that can be reached")
    return address


def _parse_networks(option: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    if len(texts) > NETWORKS_MAX:
        msg = f"{option}: at most {NETWORKS_MAX} networks"
        raise InputError(msg)
    networks = []
    for text in (part for joined in texts for part in joined.split(",")):
        try:
            networks.append(str(ipaddress.ip_network(text.strip())))
        except ValueError as error:
            msg = f"{option}: {error}"
            raise InputError(msg) from None
    return tuple(dict.fromkeys(networks))


def _networks_of(peer: Address) -> tuple[str, ...]:
    """The peer's own addresses, each a network of one; a name is looked up now, once."""
    try:
        found = socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_DGRAM)
    except OSError as error:
        msg = f"--peer: cannot look up {peer.host!r} ({error}); give --accept"
        raise InputError(msg) from None
    addresses = (str(address[0]).partition("%")[0] for *_, address in found)
    return tuple(dict.fromkeys(str(ipaddress.ip_network(address)) for address in addresses))


def _parse_codecs(texts: tuple[str, ...]) -> tuple[str, ...]:
    names = [part.strip() for joined in texts for part in joined.split(",")]
    for name in names:
        if name.lower() not in CODECS:
            msg = f"--codec: {name!r} is none of {', '.join(CODECS.values())}"
            raise InputError(msg)
    return tuple(dict.fromkeys(CODECS[name.lower()] for name in names))


def _check_max_calls(count: int | None) -> int | None:
    if count is not None and count < 1:
        raise InputError("--max-calls: at least 1")
    return count


def _describe(trunk: Trunk) -> dict[str, object]:
    return {
        "name": trunk.name,
        "peer": str(Address(trunk.peer_host, trunk.peer_port)),
        "transport": trunk.transport.value,
        "accept": list(trunk.accept),
        "media_networks": list(trunk.media_networks),
        "country": trunk.country,
        "codecs": list(trunk.codecs),
        "is_trusted_for_identity": trunk.is_trusted_for_identity,
        "dialled_from": trunk.dialled_from.value,
        "sends_asserted": trunk.sends_asserted,
        "username": trunk.username,
        "max_calls": trunk.max_calls,
        "created_at": to_datetime(trunk.created_at).isoformat(),
    }
