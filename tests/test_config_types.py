import pytest

from maskline.config_types import Address, parse_address, parse_port_range


@pytest.mark.parametrize("text", ["127.0.0.1:0", "[::1]:5060", "example.com:65535"])
def test_addresses_print_as_they_are_read(text: str) -> None:
    """Reading what was printed gives the same address."""
    assert str(parse_address(text)) == text


def test_port_range_prints_as_it_is_read() -> None:
    """Reading what was printed gives the same range."""
    assert str(parse_port_range("20000-29999")) == "20000-29999"


@pytest.mark.parametrize(
    "text", ["127.0.0.1", ":80", "h:", "h:65536", "h:-1", "h:\u0661", "::1:80", "[::1:80"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """A host without a port, a port that is none, and an IPv6 address without its brackets."""
    with pytest.raises(ValueError, match=r"expected HOST:PORT|stands in brackets"):
        parse_address(text)


@pytest.mark.parametrize("text", ["20000", "a-b", "5-4", "0-9", "65533-65536", "1-3", "1-\u0669"])
def test_what_is_no_port_range_is_refused(text: str) -> None:
    """One port alone, no numbers, ports that do not exist, and too few for one call."""
    with pytest.raises(ValueError, match=r"expected FIRST-LAST|expected at least 4 ports"):
        parse_port_range(text)


@pytest.mark.parametrize(
    ("host", "is_wildcard"), [("0.0.0.0", True), ("::", True), ("127.0.0.1", False), ("example.com", False)]
)
def test_wildcards_stand_for_every_address(host: str, is_wildcard: bool) -> None:
    """Of either IP version; a name is never one."""
    assert Address(host, 5060).is_wildcard is is_wildcard
