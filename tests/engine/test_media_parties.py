"""What a party's address may be, and where its packets may come from."""

import pytest

from maskline.engine.media_parties import PartyCheck, allowed_networks
from maskline.engine.media_types import EngineSettings, Family, PartyMedia, RelayRefused


def make_check(bind: str = "192.0.2.1", advertise: str = "198.51.100.1") -> PartyCheck:
    """A check for a relay at these addresses, ports 20000 to 20099."""
    return PartyCheck(
        EngineSettings(
            bind={Family.V4: bind},
            advertise={Family.V4: advertise},
            port_first=20_000,
            port_last=20_099,
            spool="/nowhere",
        )
    )


def test_a_party_may_send_from_its_address_and_its_networks() -> None:
    """Networks of the other IP version are left out; without any the address alone may send."""
    assert allowed_networks("192.0.2.7", ()) == (Family.V4, ("192.0.2.7/32",))
    networks = ("203.0.113.0/24", "2001:db8::/32")
    assert allowed_networks("192.0.2.7", networks) == (Family.V4, ("192.0.2.7/32", "203.0.113.0/24"))
    assert allowed_networks("2001:db8::7", networks) == (Family.V6, ("2001:db8::7/128", "2001:db8::/32"))


@pytest.mark.parametrize(
    ("address", "networks"),
    [
        ("example.com", ()),
        ("192.0.2.7 x", ()),
        ("", ()),
        ("2001:DB8::1", ()),
        ("239.1.2.3", ()),
        ("255.255.255.255", ()),
        ("fe80::1%lo", ()),
        ("192.0.2.7", ("10.0.0.1/8",)),
        ("192.0.2.7", ("10.0.0.0/8",) * 64),
    ],
)
def test_addresses_that_are_no_partys(address: str, networks: tuple[str, ...]) -> None:
    """What is malformed, written oddly, no single host's, or too much is refused."""
    with pytest.raises(RelayRefused):
        allowed_networks(address, networks)


def test_the_relays_own_ports() -> None:
    """A party at a port of the relay would make calls talk to each other; the same host's other ports are fine."""
    check = make_check()
    for address in ("192.0.2.1", "198.51.100.1"):
        for port in (20_000, 20_099):
            with pytest.raises(RelayRefused):
                check.family(PartyMedia(address=address, port=port))
        for port in (19_999, 20_100):
            assert check.family(PartyMedia(address=address, port=port)) is Family.V4
    assert check.family(PartyMedia(address="127.0.0.1", port=20_000)) is Family.V4
    with pytest.raises(RelayRefused):
        make_check(bind="0.0.0.0").family(PartyMedia(address="127.0.0.1", port=20_000))


@pytest.mark.parametrize("port", [-1, 0, 65_536])
def test_ports_that_are_none(port: int) -> None:
    """A port lies between 1 and 65535."""
    with pytest.raises(RelayRefused):
        make_check().family(PartyMedia(address="192.0.2.7", port=port))
