"""What an INVITE says, as far as its trunk is believed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.inventory import DialledFrom, NumberFormat, Target, Trunk
from maskline.core.numbers import DID, E164
from maskline.engine.admission import read_dialling
from maskline.sip.events import InviteFacts
from maskline.sip.headers import parse_name_addr
from maskline.sip.uri import parse_uri

TRUNK = Trunk(id=1, created_at=0, name="one", targets=(Target(host="192.0.2.1"),), country="IN")
UNTRUSTED = replace(TRUNK, is_trusted_for_identity=False)
CALLER = "<sip:+919812300001@192.0.2.1>"
OTHER = "<sip:+919812300002@192.0.2.1>"


def _invite(
    *,
    uri: str = "sip:+912249370001@10.0.0.1",
    to: str = "<sip:+912249370009@10.0.0.1>",
    from_: str = CALLER,
    asserted: tuple[str, ...] = (),
    privacy: frozenset[str] = frozenset(),
) -> InviteFacts:
    return InviteFacts(
        request_uri=parse_uri(uri),
        to=parse_name_addr(to),
        from_=parse_name_addr(from_),
        asserted=tuple(parse_name_addr(text) for text in asserted),
        privacy=privacy,
        max_forwards=70,
        edge_source=None,
        offer=None,
    )


@pytest.mark.parametrize(
    ("setting", "number"),
    [(DialledFrom.REQUEST_URI, "+912249370001"), (DialledFrom.TO, "+912249370009")],
)
def test_the_dialled_number_is_where_the_trunk_puts_it(setting: DialledFrom, number: str) -> None:
    """Some carriers deliver to a trunk address and leave the number in To."""
    assert read_dialling(_invite(), replace(TRUNK, dialled_from=setting)).dialled == DID(number)


@pytest.mark.parametrize(
    "uri",
    [
        "sip:+912249370001@h",
        "sip:912249370001@h",
        "sip:02249370001@h",
        "sip:2249370001@h",
        "sip:+912249370001;npdi@h;user=phone",
        "sip:+912249370001;rn=+919000000000;npdi=yes@h",
        "sip:%2B912249370001:secret@h:5070;transport=tcp",
        "tel:+91-22-4937-0001",
    ],
)
def test_a_number_is_read_in_every_usual_spelling(uri: str) -> None:
    """With or without plus, national, with porting data, as tel URI: one number."""
    assert read_dialling(_invite(uri=uri), TRUNK).dialled == DID("+912249370001")


@pytest.mark.parametrize(
    ("number_format", "caller_format", "dialled", "caller"),
    [
        (NumberFormat.DIGITS, None, "12025550101", "442079460000"),
        (NumberFormat.ZEROS, NumberFormat.DIGITS, "0012025550101", "442079460000"),
        (NumberFormat.PLUS, NumberFormat.ZEROS, "+12025550101", "00442079460000"),
        (NumberFormat.NATIONAL, NumberFormat.PLUS, "0012025550101", "+442079460000"),
    ],
)
def test_numbers_are_read_as_the_trunk_writes_them(
    number_format: NumberFormat, caller_format: NumberFormat | None, dialled: str, caller: str
) -> None:
    """Foreign numbers without plus are known by the format the trunk was given, for either number its own."""
    trunk = replace(TRUNK, number_format=number_format, caller_format=caller_format)
    read = read_dialling(_invite(uri=f"sip:{dialled}@h", from_=f"<sip:{caller}@h>"), trunk)
    assert (read.dialled, read.caller) == (DID("+12025550101"), E164("+442079460000"))


@pytest.mark.parametrize(
    "uri",
    [
        "sip:h",
        "sip:alice@h",
        "sip:+9122@h",
        "sip:+912249370001;ext=9@h",
        "sip:+912249370001;phone-context=+1@h",
    ],
)
def test_what_is_no_number_is_no_number_of_ours(uri: str) -> None:
    """Routing finds nothing for it, as for any unknown number."""
    assert read_dialling(_invite(uri=uri), TRUNK).dialled == DID("")


def test_a_to_of_another_scheme_is_no_number() -> None:
    """URIs that are not understood name nobody."""
    trunk = replace(TRUNK, dialled_from=DialledFrom.TO)
    assert read_dialling(_invite(to="<urn:service:sos>"), trunk).dialled == DID("")


def test_an_asserted_identity_wins_over_from() -> None:
    """A trusted carrier's word is worth more than the caller's."""
    assert read_dialling(_invite(from_=OTHER, asserted=(CALLER,)), TRUNK).caller == E164("+919812300001")


def test_an_asserted_identity_counts_for_nothing_from_an_untrusted_trunk() -> None:
    """Anybody can write the header."""
    assert read_dialling(_invite(asserted=(OTHER,)), UNTRUSTED).caller == E164("+919812300001")


def test_the_first_asserted_number_is_taken() -> None:
    """A carrier may assert a SIP address beside a tel URI (RFC 3325 section 9.1)."""
    invite = _invite(from_=OTHER, asserted=("<sip:alice@carrier.example>", "<tel:+919812300001>"))
    assert read_dialling(invite, TRUNK).caller == E164("+919812300001")


@pytest.mark.parametrize(
    "asserted", ["<sip:anonymous@anonymous.invalid>", "<sip:trunk@carrier.example>", "<urn:x:y>"]
)
def test_an_assertion_without_number_is_not_made_good_by_from(asserted: str) -> None:
    """Where the carrier knows no number, the caller's own claim does not become one."""
    assert read_dialling(_invite(asserted=(asserted,)), TRUNK).caller is None


@pytest.mark.parametrize("token", ["id", "user", "header"])
def test_a_withheld_caller_is_no_caller(token: str) -> None:
    """Privacy hides From where nothing is asserted."""
    assert read_dialling(_invite(privacy=frozenset({token})), TRUNK).caller is None
    assert read_dialling(_invite(privacy=frozenset({token}), asserted=(OTHER,)), UNTRUSTED).caller is None


def test_a_withheld_caller_is_known_from_a_trusted_assertion() -> None:
    """The carrier tells its partner whom it hides from the callee (RFC 3325 section 7)."""
    invite = _invite(privacy=frozenset({"id", "critical"}), asserted=(OTHER,))
    assert read_dialling(invite, TRUNK).caller == E164("+919812300002")


@pytest.mark.parametrize("privacy", [frozenset({"none"}), frozenset({"session", "critical"})])
def test_other_privacy_does_not_hide_the_caller(privacy: frozenset[str]) -> None:
    """`none` asks for no hiding, `session` for that of media."""
    assert read_dialling(_invite(privacy=privacy), TRUNK).caller == E164("+919812300001")


@pytest.mark.parametrize(
    "from_",
    [
        '"Anonymous" <sip:anonymous@anonymous.invalid>',
        "<sip:+919812300001@Anonymous.Invalid>",
        "<sip:unknown@192.0.2.1>",
        "<sip:192.0.2.1>",
        "<sips:restricted@192.0.2.1>",
    ],
)
def test_an_anonymous_from_is_no_caller(from_: str) -> None:
    """A number at the anonymous host is not to be used either."""
    assert read_dialling(_invite(from_=from_), TRUNK).caller is None


def test_a_display_name_is_not_read() -> None:
    """A number in quotes is decoration."""
    assert read_dialling(_invite(from_='"+919812300001" <sip:pbx@192.0.2.1>'), TRUNK).caller is None


@given(user=st.text(max_size=40), host=st.sampled_from(["192.0.2.1", "anonymous.invalid", "h.example"]))
def test_reading_never_raises_and_yields_e164_or_nothing(user: str, host: str) -> None:
    """Whatever a user part holds, what comes out is a whole number or none."""
    uri = replace(parse_uri(f"sip:x@{host}"), user=user)
    invite = replace(_invite(), request_uri=uri, from_=replace(parse_name_addr(CALLER), uri=uri))
    found = read_dialling(invite, TRUNK)
    assert found.dialled == "" or E164(found.dialled).reveal() == found.dialled
    assert found.caller is None or (host != "anonymous.invalid" and found.caller.reveal() == found.dialled)
