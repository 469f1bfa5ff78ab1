"""The search for secrets finds what it is there for."""

import base64
import hashlib
import json

import pytest

from tests.interop.secrets_of import Party
from tests.interop.wire import SIPText, not_allowed

PARTY = Party(side="a", number="+919800131847", hosts=("127.40.1.101",))
NUMBER = PARTY.number.encode()

HIDDEN = {
    "plain": b"sip:+919800131847@",
    "national": b"From: 09800131847",
    "spaced": b"(980) 013-1847",
    "escaped": b"%39%38%30%30%31%33%31%38%34%37",
    "hexadecimal": NUMBER.hex().upper().encode(),
    "reversed": NUMBER[::-1],
    "UTF-16": "9800131847".encode("utf-16-be"),
    "base64": base64.b64encode(b"x" + NUMBER),
    "base64, one later": base64.b64encode(b"xy" + NUMBER),
    "base64, two later": base64.b64encode(b"xyz" + NUMBER),
    "Identity": PARTY.identity.encode(),
    "BCD": bytes.fromhex("198900318174"),
    "MD5": hashlib.md5(NUMBER, usedforsecurity=False).hexdigest().encode(),
    "SHA-256": base64.b64encode(hashlib.sha256(NUMBER[1:]).digest()),
    "JSON": json.dumps({"tn": "919800131847"}).encode(),
    "address": b"c=IN IP4 127.40.1.101",
    "name": b'"QZAlpha Display"',
    "name in base64": base64.b64encode(b"ab<qzalpha>"),
}


@pytest.mark.parametrize("data", HIDDEN.values(), ids=HIDDEN.keys())
def test_secret_is_found(data: bytes) -> None:
    """Each encoding of a secret is found in the midst of other bytes."""
    assert PARTY.find_in(b"SIP/2.0 200 OK\r\nX: " + data + b"\r\n\r\n")


def test_innocent_message_is_passed() -> None:
    """Another number and another address are no secrets of this party."""
    assert (
        PARTY.find_in(
            b"INVITE sip:+919700152906@127.40.1.202 SIP/2.0\r\nFrom: <sip:+912269470010@127.40.0.10>"
        )
        == []
    )


@pytest.mark.parametrize(
    ("line", "body"),
    [
        (b"X-Customer: 7", b""),
        (b"P-Asserted-Identity : <sip:x@y>", b""),
        (b"Content-Type: application/pidf+xml", b"<presence/>"),
        (b"Content-Type: application/sdp", b"v=0\r\ni=hello\r\n"),
        (b"Content-Type: application/sdp", b"v=0\r\na=candidate:1\r\n"),
        (b"Content-Type: application/sdp", b"v=0\r\nm=audio 9 RTP/AVP 0\r\nm=video 9 RTP/AVP 96\r\n"),
        (b"Content-Type: application/sdp", b"v=0\r\nc=IN IP4 127.0.0.1\r\ns=qzalpha\r\n"),
    ],
)
def test_what_is_on_no_list_is_found(line: bytes, body: bytes) -> None:
    """A header, a body or a line of a description that is not allowed is reported."""
    message = SIPText(b"INVITE sip:x@y SIP/2.0\r\nCSeq: 1 INVITE\r\n" + line + b"\r\n\r\n" + body)
    assert not_allowed([message])
