import pytest

from maskline.media.errors import LocalProtocolError, NoCommonCodec, ProtocolError, RemoteProtocolError


def test_parent_is_never_raised_itself() -> None:
    """An error says whose fault it is."""
    with pytest.raises(TypeError):
        ProtocolError("whose?")


def test_status_hints() -> None:
    """Each error suggests the SIP status to answer."""
    assert RemoteProtocolError("x").status_hint == 400
    assert RemoteProtocolError("x", status_hint=488).status_hint == 488
    assert NoCommonCodec().status_hint == 488
    assert LocalProtocolError("x").status_hint == 500
