"""The method table and the checks before a request is taken."""

import pytest

from maskline.sip.message import Headers, Request
from maskline.sip.user_agent_messages import ALLOW, ALLOWED_HEADERS
from maskline.sip.user_agent_screening import (
    REFUSED_METHODS,
    SERVED_METHODS,
    Refusal,
    options_answer,
    screen_content,
    screen_method,
)


def request(method: str, *items: tuple[str, str], body: bytes = b"") -> Request:
    return Request(method, "sip:x@h", Headers(items), body)


def test_methods_are_served_or_refused() -> None:
    """No method is in both tables, and Allow names the served ones."""
    assert not SERVED_METHODS & set(REFUSED_METHODS)
    assert set(ALLOW.split(", ")) == SERVED_METHODS
    assert all(screen_method(request(method)) is None for method in SERVED_METHODS)
    assert screen_method(request("REFER")) == Refusal(603)
    assert screen_method(request("invite")) == Refusal(501, (("Allow", ALLOW),))


def test_refusals_stay_within_the_allow_list() -> None:
    """Whatever a refusal adds may be sent in a response."""
    names = {name for refusal in REFUSED_METHODS.values() for name, _ in refusal.extra}
    names |= {name for name, _ in options_answer()}
    assert names <= ALLOWED_HEADERS["response"]


@pytest.mark.parametrize("kind", ["application/sdp", "Application/SDP", "application/sdp;charset=utf-8"])
def test_session_descriptions_are_read(kind: str) -> None:
    """The type is compared without case and parameters."""
    assert screen_content(request("INVITE", ("Content-Type", kind), body=b"v=0")) is None


def test_every_unknown_extension_is_named() -> None:
    """Unsupported lists each tag of Require and Proxy-Require we have not."""
    refusal = screen_content(request("BYE", ("Require", "a, b"), ("Proxy-Require", "c")))
    assert refusal == Refusal(420, (("Unsupported", "a, b, c"),))


def test_empty_bodies_need_no_type() -> None:
    """Without body there is nothing to refuse."""
    assert screen_content(request("INVITE", ("Content-Type", "text/plain"))) is None
