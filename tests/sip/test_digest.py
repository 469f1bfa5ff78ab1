from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sip.strategies import texts

from maskline.sip.digest import (
    Algorithm,
    Authorization,
    Challenge,
    Credentials,
    answer_challenge,
    choose_challenge,
    parse_authorization,
    parse_challenge,
    render_challenge,
    verify_authorization,
)
from maskline.sip.errors import LocalProtocolError, RemoteProtocolError
from maskline.sip.message import Headers, Response

ALICE = Credentials(username="alice", password="pass:word", realm="r")
CHALLENGE = Challenge(realm="r", nonce="n", opaque="o")


def parse_answer(value: str) -> Authorization:
    answer = parse_authorization(value)
    assert answer is not None
    return answer


def make_answer(challenge: Challenge = CHALLENGE, credentials: Credentials = ALICE) -> Authorization:
    return parse_answer(
        answer_challenge(challenge, credentials, method="INVITE", uri="sip:b@h", cnonce="c")[1]
    )


@pytest.mark.parametrize(
    ("challenge", "credentials", "uri", "cnonce", "response"),
    [
        # RFC 2617 section 3.5.
        (
            Challenge(realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"),
            Credentials(username="Mufasa", password="Circle Of Life"),
            "/dir/index.html",
            "0a4f113b",
            "6629fae49393a05397450978507c4ef1",
        ),
        # RFC 2069 section 2.4, with the response of its erratum 749.
        (
            Challenge(realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", has_qop=False),
            Credentials(username="Mufasa", password="CircleOfLife"),
            "/dir/index.html",
            "unused",
            "1949323746fe6a43ef61f9606e7febea",
        ),
        # RFC 7616 section 3.9.1.
        (
            Challenge(realm="http-auth@example.org", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"),
            Credentials(username="Mufasa", password="Circle of Life"),
            "/dir/index.html",
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "8ca523f5e9506fed4657c9700eebdbec",
        ),
        (
            Challenge(
                realm="http-auth@example.org",
                nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                algorithm=Algorithm.SHA_256,
            ),
            Credentials(username="Mufasa", password="Circle of Life"),
            "/dir/index.html",
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
        # RFC 7616 section 3.9.2, with the response of its erratum 4897.
        (
            Challenge(
                realm="api@example.org",
                nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
                algorithm=Algorithm.SHA_512_256,
            ),
            Credentials(username="Jäsøn Doe", password="Secret, or not?"),
            "/doe.json",
            "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
            "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5",
        ),
    ],
)
def test_vectors_of_the_rfcs(
    challenge: Challenge, credentials: Credentials, uri: str, cnonce: str, response: str
) -> None:
    """The answers printed in the RFCs come out, and are verified."""
    name, value = answer_challenge(challenge, credentials, method="GET", uri=uri, cnonce=cnonce)
    answer = parse_answer(value)
    assert name == "Authorization"
    assert answer.response == response
    assert verify_authorization(answer, challenge, credentials, method="GET")


def test_answer_is_written_as_the_rfc_quotes_it() -> None:
    """qop, nc and algorithm stand without quotes, everything else in quotes (RFC 7616 section 3.4)."""
    challenge = replace(CHALLENGE, is_proxy=True)
    field = answer_challenge(challenge, ALICE, method="INVITE", uri="sip:b@h", cnonce="c", nonce_count=0x1F)
    value = (
        'Digest username="alice", realm="r", nonce="n", uri="sip:b@h",'
        ' response="57c259ad0b61e77882fd6462a6e4b945", algorithm=MD5, cnonce="c", qop=auth, nc=0000001f,'
        ' opaque="o"'
    )
    assert field == ("Proxy-Authorization", value)


def test_challenge_is_read() -> None:
    """All that counts of a challenge is read, in any letter case and order."""
    text = 'digest QOP="auth-int, AUTH", stale=TRUE , nonce="n\\"x", algorithm="sha-256",realm="a, b", domain="x"'
    assert parse_challenge(text, is_proxy=True) == Challenge(
        realm="a, b", nonce='n"x', algorithm=Algorithm.SHA_256, is_stale=True, is_proxy=True
    )
    assert parse_challenge('Digest realm="r", nonce="n"') == Challenge(realm="r", nonce="n", has_qop=False)


@pytest.mark.parametrize(
    "text",
    [
        'Basic realm="r"',
        "Bearer abc",
        'Digest realm="r", nonce="n", algorithm=MD5-sess',
        'Digest realm="r", nonce="n", algorithm=X',
        'Digest realm="r", nonce="n", qop="auth-int"',
        'Digest realm="r", nonce="n", qop=""',
        "",
    ],
)
def test_what_we_do_not_speak_is_passed_over(text: str) -> None:
    """Other schemes, algorithms and qops are no error, and no challenge."""
    assert parse_challenge(text) is None


@pytest.mark.parametrize(
    "text",
    [
        'Digest nonce="n"',
        'Digest realm="r"',
        'Digest realm="r", nonce="n',
        'Digest realm="r" nonce="n"',
        'Digest realm="r", nonce="n",',
        'Digest realm="r", realm="s", nonce="n"',
        'Digest realm="r", nonce="n", Digest realm="s"',
        "Digest ,",
    ],
)
def test_malformed_challenge_is_refused(text: str) -> None:
    """A Digest challenge that cannot be read for sure is the peer's fault."""
    with pytest.raises(RemoteProtocolError):
        parse_challenge(text)


def response_with(status: int, *challenges: str) -> Response:
    name = "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
    return Response(status, "x", Headers([(name, text) for text in challenges]))


def test_strongest_challenge_is_chosen() -> None:
    """The strongest algorithm offered wins, whatever the order (RFC 8760 section 2.4)."""
    offered = [f'Digest realm="r", nonce="{name}", qop="auth", algorithm={name}' for name in Algorithm]
    for order in (offered, offered[::-1]):
        chosen = choose_challenge(response_with(401, *order), ALICE)
        assert chosen is not None
        assert (chosen.algorithm, chosen.is_proxy) == (Algorithm.SHA_512_256, False)
    chosen = choose_challenge(response_with(407, "Digest broken", "Basic x=y", *offered[:2]), ALICE)
    assert chosen is not None
    assert (chosen.algorithm, chosen.is_proxy) == (Algorithm.SHA_256, True)


def test_first_of_equals_is_chosen() -> None:
    """Between challenges of one strength the order of the peer decides."""
    anyone = replace(ALICE, realm=None)
    chosen = choose_challenge(
        response_with(401, 'Digest realm="1", nonce="n"', 'Digest realm="2", nonce="n"'), anyone
    )
    assert chosen is not None
    assert chosen.realm == "1"


def test_other_realms_get_nothing() -> None:
    """Credentials bound to a realm are not given to another one, nor answered with by mistake."""
    assert choose_challenge(response_with(401, 'Digest realm="rogue", nonce="n"'), ALICE) is None
    assert choose_challenge(response_with(401), ALICE) is None
    with pytest.raises(LocalProtocolError):
        make_answer(replace(CHALLENGE, realm="rogue"))


@pytest.mark.parametrize("count", [0, 2**32])
def test_nonce_count_has_bounds(count: int) -> None:
    """The count has eight hexadecimal digits and begins at one."""
    with pytest.raises(LocalProtocolError):
        answer_challenge(CHALLENGE, ALICE, method="INVITE", uri="sip:h", cnonce="c", nonce_count=count)


@pytest.mark.parametrize("has_qop", [True, False])
@pytest.mark.parametrize("algorithm", Algorithm)
def test_right_answer_is_accepted_and_any_other_refused(algorithm: Algorithm, has_qop: bool) -> None:
    """Only the right user, password, method, URI and nonce, in the algorithm and qop asked for, pass."""
    challenge = replace(CHALLENGE, algorithm=algorithm, has_qop=has_qop)
    answer = make_answer(challenge)
    assert verify_authorization(answer, challenge, ALICE, method="INVITE")
    assert not verify_authorization(answer, challenge, ALICE, method="BYE")
    assert not verify_authorization(answer, challenge, replace(ALICE, password="x"), method="INVITE")
    assert not verify_authorization(answer, challenge, replace(ALICE, username="x"), method="INVITE")
    assert not verify_authorization(answer, replace(challenge, nonce="x"), ALICE, method="INVITE")
    assert not verify_authorization(answer, replace(challenge, realm="x"), ALICE, method="INVITE")
    assert not verify_authorization(replace(answer, uri="sip:x"), challenge, ALICE, method="INVITE")
    assert not verify_authorization(replace(answer, response="é"), challenge, ALICE, method="INVITE")
    assert not verify_authorization(answer, replace(challenge, has_qop=not has_qop), ALICE, method="INVITE")
    others = [other for other in Algorithm if other is not algorithm]
    assert not any(
        verify_authorization(answer, replace(challenge, algorithm=other), ALICE, method="INVITE")
        for other in others
    )


@pytest.mark.parametrize(
    "text",
    [
        "NoOneKnowsThisScheme opaque-data=here",
        'Digest username="u", realm="r", nonce="n", uri="u", response="x", algorithm=MD5-sess',
        'Digest username="u", realm="r", nonce="n", uri="u", response="x", qop=auth-int, nc=00000001, cnonce="c"',
    ],
)
def test_foreign_authorization_is_passed_over(text: str) -> None:
    """An answer in a scheme, algorithm or qop we do not speak is as good as none."""
    assert parse_authorization(text) is None


@pytest.mark.parametrize(
    "change",
    [
        ("nc=00000001", "nc=1"),
        ("nc=00000001, ", ""),
        ('cnonce="c", ', ""),
        ('username="alice", ', ""),
        ("qop", "qop=x,qop"),
    ],
)
def test_malformed_authorization_is_refused(change: tuple[str, str]) -> None:
    """An answer with parts missing, malformed or repeated is a 400."""
    value = (
        answer_challenge(replace(CHALLENGE, opaque=None), ALICE, method="INVITE", uri="sip:b@h", cnonce="c")[
            1
        ]
        + ", x=y"
    )
    assert parse_authorization(value) is not None
    with pytest.raises(RemoteProtocolError):
        parse_authorization(value.replace(*change))


def test_secrets_are_not_shown() -> None:
    """Neither user nor password is in a representation."""
    assert "alice" not in repr(ALICE)
    assert "pass:word" not in repr(ALICE)
    assert "alice" not in repr(make_answer())


challenges = st.builds(
    Challenge,
    realm=texts,
    nonce=texts,
    opaque=st.none() | texts,
    algorithm=st.sampled_from(Algorithm),
    has_qop=st.booleans(),
    is_stale=st.booleans(),
    is_proxy=st.booleans(),
)


@given(challenges)
def test_parsing_undoes_rendering_of_challenges(challenge: Challenge) -> None:
    """Every challenge we can send is read as itself."""
    name, value = render_challenge(challenge)
    assert name == ("Proxy-Authenticate" if challenge.is_proxy else "WWW-Authenticate")
    assert parse_challenge(value, is_proxy=challenge.is_proxy) == challenge


@given(texts, texts, texts, st.booleans())
def test_every_answer_of_ours_is_accepted(username: str, password: str, nonce: str, has_qop: bool) -> None:
    """What our client answers our server accepts, for any user name, password and nonce."""
    credentials = Credentials(username=username, password=password)
    challenge = Challenge(realm="r", nonce=nonce, has_qop=has_qop)
    assert verify_authorization(make_answer(challenge, credentials), challenge, credentials, method="INVITE")


@given(st.text(max_size=60) | st.text('=",\\ realmnonceqop', max_size=60).map("Digest ".__add__))
def test_any_text_parses_or_is_refused(text: str) -> None:
    """No text raises anything but the peer's error."""
    with suppress(RemoteProtocolError):
        parse_challenge(text)
    with suppress(RemoteProtocolError):
        parse_authorization(text)
