"""Snapshots as text, credentials in the log."""

import json

import pytest

from maskline.sip.events import Flow
from maskline.sip.user_agent_types import DialogSnapshot

SNAPSHOT = DialogSnapshot(
    call_id="c",
    local="<sip:a@h>;tag=1",
    remote="<sip:b@h>;tag=2",
    local_tag="1",
    remote_tag="2",
    local_seq=3,
    remote_seq=None,
    target="sip:b@192.0.2.7",
    route_set=("<sip:192.0.2.8;lr>",),
    contact="<sip:192.0.2.1:5060>",
    flow=Flow("udp", ("192.0.2.1", 5060), ("192.0.2.7", 5060)),
)


def test_snapshot_survives_json() -> None:
    """What was written is read back equal."""
    text = SNAPSHOT.to_json()
    assert DialogSnapshot.from_json(text) == SNAPSHOT
    assert json.loads(text)["remote_seq"] is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"flow": 1}'])
def test_damaged_snapshot(text: str) -> None:
    """Other text is refused with one of three errors."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        DialogSnapshot.from_json(text)
