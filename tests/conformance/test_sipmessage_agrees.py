"""An independent reader, sipmessage, sees in our messages what we see.

Its known faults bound what is compared: host names of letters, display names without quotes and backslashes,
no parameter named `self`. The last test shows why its readers of single values are not ours.
"""

from __future__ import annotations

import string

import pytest
import sipmessage
from hypothesis import given
from hypothesis import strategies as st

from maskline.sip.errors import RemoteProtocolError
from maskline.sip.headers import NameAddr, Via, parse_name_addr, parse_via, render_name_addr, render_via
from maskline.sip.uri import SIPURI, parse_uri, render_uri

words = st.text(string.ascii_letters, min_size=1, max_size=8)
hosts = st.one_of(
    words.map(str.lower),
    st.ip_addresses(v=4).map(str),
    st.tuples(words, words).map(lambda labels: ".".join(labels).lower()),
)
ports = st.none() | st.integers(1, 65_535)
params = st.lists(st.tuples(words.map(str.lower), words), max_size=3, unique_by=lambda pair: pair[0]).map(
    lambda pairs: tuple((name, value) for name, value in pairs if name != "self")
)
users = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)
uris = st.builds(SIPURI, user=users, host=hosts, port=ports, params=params)
displays = st.text(string.ascii_letters + " ,;<>@", max_size=12).map(str.strip)
addresses = st.builds(
    NameAddr, uri=uris, display=displays.filter(lambda text: "  " not in text), params=params
)
vias = st.builds(Via, transport=st.sampled_from(["UDP", "TCP"]), host=hosts, port=ports, params=params)


def uri_facts(uri: SIPURI | sipmessage.URI) -> tuple[object, ...]:
    params = uri.params if isinstance(uri, SIPURI) else tuple(uri.parameters.items())
    return uri.scheme, uri.user, uri.host, uri.port, params


@given(uris)
def test_uris_agree(uri: SIPURI) -> None:
    """Both read the same user, host, port and parameters."""
    text = render_uri(uri)
    assert uri_facts(sipmessage.URI.parse(text)) == uri_facts(parse_uri(text)) == uri_facts(uri)


@given(addresses)
def test_addresses_agree(address: NameAddr) -> None:
    """Both read the same name, URI and parameters."""
    theirs = sipmessage.Address.parse(render_name_addr(address))
    assert isinstance(address.uri, SIPURI)
    assert uri_facts(theirs.uri) == uri_facts(address.uri)
    assert (theirs.name, tuple(theirs.parameters.items())) == (address.display, address.params)


@given(vias)
def test_vias_agree(via: Via) -> None:
    """Both read the same transport, host, port and parameters."""
    theirs = sipmessage.Via.parse(render_via(via))
    ours = parse_via(render_via(via))
    facts = (theirs.transport, theirs.host, theirs.port, tuple(theirs.parameters.items()))
    assert facts == (ours.transport, ours.host, ours.port, ours.params)


def test_where_the_other_reader_sees_one_address_for_two() -> None:
    """Two addresses in From are one for sipmessage, the second; we refuse them."""
    text = '"a" <sip:x@h>, "b" <sip:y@h>'
    assert sipmessage.Address.parse(text).uri.user == "y"
    with pytest.raises(RemoteProtocolError):
        parse_name_addr(text)
