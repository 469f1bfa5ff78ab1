import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.trunk_text import HOST_LENGTH_MAX, read_host, read_network


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" [2001:DB8:0::1] ", "2001:db8::1"),
        ("Sip.Example.COM.", "sip.example.com"),
        ("_sip._udp.example.com", "_sip._udp.example.com"),
        ("localhost", "localhost"),
    ],
)
def test_hosts_in_their_usual_form(text: str, host: str) -> None:
    """Addresses in their shortest form, names in small letters without the last dot."""
    assert read_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "0.0.0.0",
        "::",
        "a b",
        "-a.example",
        "a..b",
        "192.0.2.300",
        "1.2",
        "a" * 64,
        "a." * 130,
        "\x00",
    ],
)
def test_what_cannot_be_reached(text: str) -> None:
    """Nobody's address, and what is no name."""
    assert read_host(text) is None


@given(st.text(max_size=30))
def test_any_text_is_a_host_or_none(text: str) -> None:
    """What is read once is read again the same."""
    host = read_host(text)
    if host is not None:
        assert read_host(host) == host
        assert len(host) <= HOST_LENGTH_MAX


@given(st.ip_addresses())
def test_addresses_are_networks_of_one(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """With the mask that says so."""
    network = read_network(str(address))
    assert network is not None
    assert ipaddress.ip_network(network).num_addresses == 1


@pytest.mark.parametrize("text", ["", "192.0.2.1/24", "a.example", "192.0.2.0/33", "\x00"])
def test_what_is_no_network(text: str) -> None:
    """Bits beyond the mask are a mistake of whoever wrote them."""
    assert read_network(text) is None
