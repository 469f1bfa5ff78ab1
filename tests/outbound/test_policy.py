import string
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.outbound.addresses import is_address_reachable, parse_networks
from maskline.outbound.policy import (
    ADDRESSES_MAX,
    PORTS_REFUSED,
    URL_LENGTH_MAX,
    Target,
    decide,
    judge_addresses,
    parse_target,
)
from maskline.outbound.types import RefusalReason
from tests.outbound.test_addresses import ADDRESSES, NOT_PUBLIC, PUBLIC

GOOD = [
    ("http://example.com", "http", "example.com", 80, "/"),
    ("https://example.com", "https", "example.com", 443, "/"),
    ("HTTPS://EXAMPLE.Com/A", "https", "example.com", 443, "/A"),
    ("http://example.com.", "http", "example.com", 80, "/"),
    ("http://example.com:80/", "http", "example.com", 80, "/"),
    ("http://example.com:/", "http", "example.com", 80, "/"),
    ("http://example.com:8080/a?b=c", "http", "example.com", 8080, "/a?b=c"),
    ("http://example.com:00080/", "http", "example.com", 80, "/"),
    ("http://example.com?b=c", "http", "example.com", 80, "/?b=c"),
    ("http://example.com?b=c/d", "http", "example.com", 80, "/?b=c/d"),
    ("http://example.com#x", "http", "example.com", 80, "/"),
    ("http://example.com/a#x?y", "http", "example.com", 80, "/a"),
    ("http://example.com/a?b#@10.0.0.1/", "http", "example.com", 80, "/a?b"),
    ("http://example.com/@10.0.0.1/", "http", "example.com", 80, "/@10.0.0.1/"),
    ("http://example.com/%2e%2e/b", "http", "example.com", 80, "/%2e%2e/b"),
    ("http://example.com/../b", "http", "example.com", 80, "/../b"),
    ("http://example.com/a|b", "http", "example.com", 80, "/a%7Cb"),
    ('http://example.com/"<>`{}^', "http", "example.com", 80, "/%22%3C%3E%60%7B%7D%5E"),
    ("http://example.com/ü?q=ü", "http", "example.com", 80, "/%C3%BC?q=%C3%BC"),
    ("http://bücher.example/", "http", "xn--bcher-kva.example", 80, "/"),
    ("http://BÜCHER.example/", "http", "xn--bcher-kva.example", 80, "/"),
    ("http://xn--bcher-kva.example/", "http", "xn--bcher-kva.example", 80, "/"),
    ("http://例え.テスト/", "http", "xn--r8jz45g.xn--zckzah", 80, "/"),
    ("http://example。com/", "http", "example.com", 80, "/"),
    ("http://localhost/", "http", "localhost", 80, "/"),
    ("http://my_service:9000/", "http", "my_service", 9000, "/"),
    ("http://a-b.c-d.example/", "http", "a-b.c-d.example", 80, "/"),
    ("http://1a.example/", "http", "1a.example", 80, "/"),
    ("http://0x.example/", "http", "0x.example", 80, "/"),
    ("http://1.2.3.4.example/", "http", "1.2.3.4.example", 80, "/"),
    ("http://8.8.8.8/", "http", "8.8.8.8", 80, "/"),
    ("http://8.8.8.8./", "http", "8.8.8.8", 80, "/"),
    ("http://127.0.0.1:8080/", "http", "127.0.0.1", 8080, "/"),
    ("http://\uff11\uff12\uff17.\uff10.\uff10.\uff11/", "http", "127.0.0.1", 80, "/"),
    ("http://[::1]/", "http", "::1", 80, "/"),
    ("http://[2606:4700:0:0::1111]:8443/", "http", "2606:4700::1111", 8443, "/"),
    ("http://[::FFFF:127.0.0.1]/", "http", "::ffff:7f00:1", 80, "/"),
    ("http://[64:ff9b::10.0.0.1]/", "http", "64:ff9b::a00:1", 80, "/"),
]
BAD_URL = [
    "",
    " ",
    "example.com",
    "//example.com/",
    "http:",
    "http:/",
    "http://",
    "http:///",
    "http:///etc/passwd",
    "http:example.com",
    "http:/example.com",
    "http://?x",
    "http://#x",
    "http://:80/",
    "http://.",
    "http://..",
    "http://.example.com/",
    "http://example..com/",
    "http://example.com../",
    "http://-a.example/",
    "http://a-.example/",
    "http://a b.example/",
    "http:// example.com/",
    " http://example.com/",
    "http://example.com/ ",
    "http://example.com/a b",
    "http://example.com/a\tb",
    "http://example.com/\r\nX: y",
    "http://example.com\r\n/",
    "ht\ntp://example.com/",
    "http://exam\nple.com/",
    "http://example.com/\x00",
    "http://example.com\x00.evil.example/",
    "http://example.com/\x7f",
    "http://example.com/\x85",
    "http://example.com/\xa0",
    "http://example.com/\u2028",
    "http://example.com/\u202e",
    "http://example.com/\ud800",
    "http://exam\u200bple.com/",
    "\ufeffhttp://example.com/",
    "http://user@example.com/",
    "http://user:pass@example.com/",
    "http://:@example.com/",
    "http://@example.com/",
    "http://example.com@10.0.0.1/",
    "http://10.0.0.1@example.com/",
    "http://example.com:80@10.0.0.1/",
    "http://example.com\\@10.0.0.1/",
    "http://example.com\\.evil.example/",
    "http:\\\\example.com\\",
    "http://example.com/\\",
    "http://exa%6dple.com/",
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1%2f.example/",
    "http://example.com%00/",
    "http://example.com%/",
    "http://example.com:-1/",
    "http://example.com:+80/",
    "http://example.com:8 0/",
    "http://example.com:http/",
    "http://example.com:80:80/",
    "http://example.com:٨٠/",
    "http://example.com:100000/",
    "http://example.com:0000080/",
    "http://[/",
    "http://]/",
    "http://[]/",
    "http://[::1/",
    "http://::1]/",
    "http://::1/",
    "http://[::1]80/",
    "http://[::1]a:80/",
    "http://[[::1]]/",
    "http://[::1]@example.com/",
    "http://a[::1]/",
    "http://[::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[fe80::1%1]/",
    "http://[fe80::1%25]/",
    "http://[v1.x]/",
    "http://[127.0.0.1]/",
    "http://[::127.0.0.01]/",
    "http://[example.com]/",
    "http://[:::]/",
    "http://[1:2:3:4:5:6:7:8:9]/",
    # one number, in every base, is 127.0.0.1 to some resolver
    "http://2130706433/",
    "http://017700000001/",
    "http://0x7f000001/",
    "http://0X7F000001/",
    "http://0x7f.0.0.1/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://0177.0.0.01/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.0.0.01/",
    "http://127.0.0.001/",
    "http://127.0.0.0x1/",
    "http://127.0.0.1.1/",
    "http://127.0.0.256/",
    "http://127.0.0.-1/",
    "http://127.0.0.1../",
    "http://127..0.1/",
    "http://0/",
    "http://0x/",
    "http://0x0/",
    "http://00/",
    "http://1/",
    "http://010.0.0.1/",
    "http://10.1/",
    "http://10.65535/",
    "http://169.254.43518/",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://425.510.425.510/",
    "http://4294967296/",
    "http://99999999999999999999/",
    "http://example.0x10/",
    "http://example.1/",
    "http://\uff11\uff12\uff17.\uff11/",
    "http://\uff12\uff11\uff13\uff10\uff17\uff10\uff16\uff14\uff13\uff13/",
    "http://⑫7.0.0.256/",
    "http://a" + "b" * 63 + ".example/",
    "http://" + "a." * 127 + "example/",
    "http://ex*mple.com/",
    "http://exa$mple.com/",
    "http://exa'mple.com/",
    "http://exa,mple.com/",
    "http://exa;mple.com/",
    "http://exa!mple.com/",
    "http://<b>.example/",
    "http://ex{a}mple.com/",
    "http://a\u0338b\u061c.example/",
    "http://\u00ad/",
    "http://xn--\u00fc.example/",
    "1http://example.com/",
    "jar:http://example.com/",
    "data:text/plain,x",
    "javascript:alert(1)",
    "://example.com/",
]
BAD_SCHEME = [
    "ftp://example.com/",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "gopher://example.com:70/_x",
    "dict://example.com:2628/",
    "ldap://example.com/",
    "sftp://example.com/",
    "ws://example.com/",
    "wss://example.com/",
    "data://text/plain,x",
    "https+unix://%2Frun%2Fx.sock/",
    "httpx://example.com/",
    "concat://a|b",
    "javascript://example.com/%0aalert(1)",
    "hls+http://example.com/",
]


@pytest.mark.parametrize(("url", "scheme", "host", "port", "path"), GOOD)
def test_good_url_has_one_reading(url: str, scheme: str, host: str, port: int, path: str) -> None:
    """Scheme, host, port and path come out in their one form."""
    target = parse_target(url)
    assert isinstance(target, Target)
    assert (target.scheme, target.host, target.port, target.path) == (scheme, host, port, path)


@pytest.mark.parametrize("url", BAD_URL)
def test_url_with_two_readings_or_none_is_refused(url: str) -> None:
    """Whatever parsers disagree about is not requested."""
    assert parse_target(url) is RefusalReason.URL


@pytest.mark.parametrize("url", BAD_SCHEME)
def test_other_schemes_are_refused(url: str) -> None:
    """Only http and https are requested."""
    assert parse_target(url) is RefusalReason.SCHEME


def test_refusals_are_told_apart() -> None:
    """The reason says whether address, port, scheme or the URL as such is wrong."""
    assert parse_target("http://user@example.com/") is RefusalReason.URL
    assert parse_target("ftp://example.com/") is RefusalReason.SCHEME
    assert parse_target("http://example.com:25/") is RefusalReason.PORT
    assert decide("http://10.0.0.1/", [], ()) is RefusalReason.ADDRESS_NOT_PUBLIC


@pytest.mark.parametrize("port", [0, 65_536, 99_999, *sorted(PORTS_REFUSED)])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_ports_that_are_never_http_are_refused(scheme: str, port: int) -> None:
    """Mail, shells, SIP and databases are not spoken to in HTTP."""
    assert parse_target(f"{scheme}://example.com:{port}/") is RefusalReason.PORT


@pytest.mark.parametrize("port", [24, 80, 81, 443, 3000, 4443, 5000, 8000, 8080, 8443, 9000, 49_152, 65_535])
def test_ports_of_web_servers_are_fine(port: int) -> None:
    """The list of refused ports leaves usual ones alone."""
    assert isinstance(parse_target(f"http://example.com:{port}/"), Target)


def test_length_is_bounded() -> None:
    """A URL has at most 2,000 characters."""
    stem = "http://example.com/"
    assert isinstance(parse_target(stem + "a" * (URL_LENGTH_MAX - len(stem))), Target)
    assert parse_target(stem + "a" * (URL_LENGTH_MAX - len(stem) + 1)) is RefusalReason.URL


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://example.com/", "example.com"),
        ("http://example.com:8080/", "example.com:8080"),
        ("https://example.com:80/", "example.com:80"),
        ("http://example.com:443/", "example.com:443"),
        ("https://[2606::1]/", "[2606::1]"),
        ("https://[2606::1]:444/", "[2606::1]:444"),
    ],
)
def test_host_header_keeps_the_name(url: str, host: str) -> None:
    """Host is the name with its port, unless it is the scheme's own; addresses of IPv6 stand in brackets."""
    target = parse_target(url)
    assert isinstance(target, Target)
    assert target.host_header == host


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_address_in_a_url_is_judged(address: str) -> None:
    """An address written in the URL needs no resolver to be refused."""
    host = f"[{address}]" if ":" in address else address
    assert decide(f"http://{host}/", ["8.8.8.8"], ()) is RefusalReason.ADDRESS_NOT_PUBLIC


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_in_a_url_is_fine(address: str) -> None:
    """A public address may be written in the URL."""
    host = f"[{address}]" if ":" in address else address
    decided = decide(f"http://{host}/", [], ())
    assert not isinstance(decided, RefusalReason)


@pytest.mark.parametrize("address", [*NOT_PUBLIC, "fe80::1%eth0", "garbage", ""])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_bad_address_refuses_the_whole_answer(address: str, position: int) -> None:
    """A name with a public and a private address is not reached at all, in whatever order they come."""
    answer = ["8.8.8.8", "2606:4700:4700::1111"]
    answer.insert(position, address)
    assert judge_addresses(answer, ()) is RefusalReason.ADDRESS_NOT_PUBLIC


def test_answer_keeps_its_order() -> None:
    """The resolver's preference is kept."""
    assert judge_addresses(["2606::1", "8.8.8.8"], ()) == (ip_address("2606::1"), ip_address("8.8.8.8"))


def test_allowed_networks_join_public_ones() -> None:
    """A name may have addresses of allowed networks beside public ones."""
    allowed = parse_networks(["10.0.0.0/8"])
    assert judge_addresses(["10.1.2.3", "8.8.8.8"], allowed) == (
        ip_address("10.1.2.3"),
        ip_address("8.8.8.8"),
    )
    assert judge_addresses(["10.1.2.3", "127.0.0.1"], allowed) is RefusalReason.ADDRESS_NOT_PUBLIC


def test_answer_is_bounded() -> None:
    """Nobody needs more than 64 addresses."""
    assert not isinstance(judge_addresses(["8.8.8.8"] * ADDRESSES_MAX, ()), RefusalReason)
    assert judge_addresses(["8.8.8.8"] * (ADDRESSES_MAX + 1), ()) is RefusalReason.ADDRESS_NOT_PUBLIC


@given(st.lists(ADDRESSES, min_size=1, max_size=6), st.sampled_from([(), ("127.0.0.0/8",), ("fc00::/7",)]))
def test_decision_gives_only_addresses_in_bounds(addresses: list[object], networks: tuple[str, ...]) -> None:
    """Whatever a resolver says, each address to be connected to is public or allowed."""
    allowed = parse_networks(networks)
    decided = decide("http://example.com/", [str(address) for address in addresses], allowed)
    if isinstance(decided, RefusalReason):
        assert decided is RefusalReason.ADDRESS_NOT_PUBLIC
    else:
        assert all(is_address_reachable(address, allowed) for address in decided[1])


@given(
    st.one_of(
        st.text(max_size=60),
        st.builds(
            lambda scheme, rest: f"{scheme}://{rest}",
            st.sampled_from(["http", "https", "HTTP", "ftp"]),
            st.text(
                alphabet=string.printable + "\uff3b\uff3d\uff05\uff0e\uff1a\uff0f\uff20\uff03\uff1f。١ßüı",
                max_size=40,
            ),
        ),
    )
)
def test_any_text_is_read_or_refused(url: str) -> None:
    """No text raises, and what is read has only characters that HTTP/1.1 and TLS can carry."""
    target = parse_target(url)
    if isinstance(target, Target):
        assert target.path.startswith("/")
        assert all("!" <= character <= "~" for character in target.path)
        assert set(target.host) <= set(string.ascii_lowercase + string.digits + "-_.:")
        assert 1 <= target.port <= 65_535
        again = parse_target(f"{target.scheme}://{target.host_header}{target.path}")
        assert again == target
