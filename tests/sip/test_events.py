"""Tests of the values in `sip.events`."""

from maskline.sip.events import Flow


def test_only_udp_loses_messages() -> None:
    """A flow is reliable unless it is UDP."""
    ends = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
    assert not Flow("udp", *ends).is_reliable
    assert Flow("tcp", *ends).is_reliable
