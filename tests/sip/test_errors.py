from __future__ import annotations

from maskline.sip.errors import LocalProtocolError, ProtocolError, RemoteProtocolError


def test_both_faults_share_a_parent() -> None:
    """One handler can catch both, and neither is the other."""
    assert issubclass(RemoteProtocolError, ProtocolError)
    assert issubclass(LocalProtocolError, ProtocolError)
    assert not issubclass(LocalProtocolError, RemoteProtocolError)


def test_remote_error_says_what_to_answer() -> None:
    """A peer's fault is a 400 that may not be answered, unless it says more."""
    plain = RemoteProtocolError("malformed")
    assert (plain.status_hint, plain.reply_to, str(plain)) == (400, None, "malformed")
    assert RemoteProtocolError("version", status_hint=505).status_hint == 505
