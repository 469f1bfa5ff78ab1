"""When a challenge is answered, and when not any more."""

import pytest

from maskline.sip.digest import Credentials, RealmPin
from maskline.sip.message import Headers, Response
from maskline.sip.user_agent_auth import Authenticator


def challenge(realm: str = "r", nonce: str = "n", *, stale: bool = False, status: int = 401) -> Response:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    value = f'Digest realm="{realm}", nonce="{nonce}", qop="auth"' + (", stale=TRUE" if stale else "")
    return Response(status, "", Headers([(name, value)]))


def test_nothing_is_sent_unasked() -> None:
    """Without a challenge there is no answer."""
    assert Authenticator(Credentials(username="u", password="p")).credentials("BYE", "sip:x", "c") == ()


@pytest.mark.parametrize(
    ("retry_count", "is_stale", "expected"),
    [(0, False, True), (1, False, False), (1, True, True), (2, True, False)],
)
def test_how_often(retry_count: int, *, is_stale: bool, expected: bool) -> None:
    """A challenge is answered once, a stale one twice."""
    authenticator = Authenticator(Credentials(username="u", password="p"))
    assert authenticator.accept(challenge(stale=is_stale), retry_count) is expected


def test_realm_is_pinned() -> None:
    """The first realm answered is the only one; the nonce count goes up with each request."""
    authenticator = Authenticator(Credentials(username="u", password="p"))
    assert authenticator.accept(challenge("one"), 0)
    assert not authenticator.accept(challenge("two"), 0)
    counts = [authenticator.credentials("BYE", "sip:x", "c")[0][1].partition("nc=")[2][:8] for _ in range(2)]
    assert counts == ["00000001", "00000002"]
    assert authenticator.accept(challenge("one", "n2"), 0)
    assert "nc=00000001" in authenticator.credentials("BYE", "sip:x", "c")[0][1]


def test_proxy_challenges_get_proxy_answers() -> None:
    """407 is answered in Proxy-Authorization, 401 in Authorization."""
    for status, name in ((401, "Authorization"), (407, "Proxy-Authorization")):
        authenticator = Authenticator(Credentials(username="u", password="p"))
        assert authenticator.accept(challenge(status=status), 0)
        assert authenticator.credentials("BYE", "sip:x", "c")[0][0] == name


def test_one_pin_holds_for_all_who_share_it() -> None:
    """What one request answered, no other request with these credentials answers for another realm."""
    shared = Credentials(username="u", password="p", pin=RealmPin())
    early, late = Authenticator(shared), Authenticator(shared)
    assert Authenticator(shared).accept(challenge("one"), 0)
    assert not early.accept(challenge("two"), 0)
    assert late.accept(challenge("one"), 0)
    assert shared.pin == RealmPin("one")


def test_a_realm_that_is_set_needs_no_pin() -> None:
    """The operator's word goes before whoever asks first."""
    shared = Credentials(username="u", password="p", realm="one", pin=RealmPin())
    assert not Authenticator(shared).accept(challenge("two"), 0)
    assert Authenticator(shared).accept(challenge("one"), 0)
