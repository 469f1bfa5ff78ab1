"""Targets, networks and codecs as an operator writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.cli.trunk_texts import check_host, networks_of, parse_target, render_target, split
from maskline.core.inventory import Target, Transport
from maskline.errors import InputError

HOSTS = st.one_of(
    st.ip_addresses().filter(lambda address: not address.is_unspecified).map(str),
    st.from_regex(r"[a-z][a-z0-9]{0,10}(-[a-z0-9]{1,5})?(\.[a-z]{2,8}){0,3}", fullmatch=True),
)
TARGETS = st.builds(
    Target,
    host=HOSTS,
    port=st.none() | st.integers(1, 65_535),
    transport=st.sampled_from(Transport),
    priority=st.integers(0, 65_535),
    weight=st.integers(0, 65_535),
)


@given(TARGETS)
def test_what_is_shown_can_be_given(target: Target) -> None:
    """A target as it is listed is read as the same target."""
    assert parse_target(render_target(target), "--target") == target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("carrier.example", Target(host="carrier.example")),
        ("Carrier.Example.:5070", Target(host="carrier.example", port=5070)),
        (" 192.0.2.1 ", Target(host="192.0.2.1")),
        ("[2001:DB8::1]", Target(host="2001:db8::1")),
        ("[2001:db8::1]:5061;transport=tls", Target(host="2001:db8::1", port=5061, transport=Transport.TLS)),
        ("a.example;weight=0;priority=65535", Target(host="a.example", priority=65_535, weight=0)),
        ("_sip.example", Target(host="_sip.example")),
    ],
)
def test_targets(text: str, expected: Target) -> None:
    """Names and addresses, with and without port and parameters."""
    assert parse_target(text, "--target") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":5060",
        "a.example:",
        "a.example:0",
        "a.example:65536",
        "a.example:sip",
        "a..example",
        "-a.example",
        "a" * 64,
        ".".join(["a" * 60] * 5),
        "192.0.2",
        "192.0.2.256",
        "0.0.0.0",
        "[::]",
        "2001:db8::1",
        "[192.0.2.1",
        "user@a.example",
        "sip:a.example",
        "a b",
        "a.example;transport=sctp",
        "a.example;priority=65536",
        "a.example;priority=-1",
        "a.example;weight",
        "a.example;colour=red",
        "ä.example",
    ],
)
def test_what_is_no_target(text: str) -> None:
    """It is refused with a sentence that names the option."""
    with pytest.raises(InputError, match="--target"):
        parse_target(text, "--target")


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else happens, and what is read is a host a URI can hold."""
    try:
        target = parse_target(text, "--target")
    except InputError:
        return
    assert parse_target(render_target(target), "--target") == target
    assert check_host(target.host, "--target") == target.host


def test_several_ways_of_giving_several() -> None:
    """Repeated, with commas, or both."""
    assert split(("a, b", "c")) == ["a", "b", "c"]


def test_networks_of_targets() -> None:
    """An address is itself, the machine's own name is known, a name of nobody is refused."""
    assert networks_of((Target(host="192.0.2.1"), Target(host="2001:db8::1", port=5070))) == (
        "192.0.2.1/32",
        "2001:db8::1/128",
    )
    assert set(networks_of((Target(host="localhost", port=5060),))) <= {"127.0.0.1/32", "::1/128"}
    with pytest.raises(InputError, match="give --accept"):
        networks_of((Target(host="nobody.invalid", port=5060),))
