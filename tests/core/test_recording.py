import json

from hypothesis import given
from hypothesis import strategies as st

from maskline.core.call_record import Side
from maskline.core.masking import RecordFormat
from maskline.core.recording import (
    CapturedCodec,
    CapturedLeg,
    NotedLegs,
    notes_from_plain,
    notes_to_plain,
    parse_recording_id,
    render_link_text,
    render_recording_uuid,
)

CODECS = st.builds(
    CapturedCodec, st.integers(0, 127), st.sampled_from(["PCMU", "opus"]), st.integers(1, 48_000)
)
LEGS = st.builds(
    CapturedLeg, side=st.sampled_from(Side), port=st.integers(1, 65_535), codecs=st.lists(CODECS).map(tuple)
)
NOTES = st.lists(
    st.builds(NotedLegs, noted_at=st.integers(0, 2**60), legs=st.lists(LEGS, max_size=2).map(tuple)),
    max_size=4,
)


@given(number=st.integers(0, 2**128 - 1))
def test_ids_are_read_as_they_are_shown(number: int) -> None:
    """With hyphens or without, in small letters or capitals."""
    id_ = f"{number:032x}"
    for text in (id_, render_recording_uuid(id_), render_recording_uuid(id_).upper()):
        assert parse_recording_id(text) == id_


@given(text=st.text(max_size=40) | st.text("0123456789abcdef-", min_size=30, max_size=38))
def test_anything_else_is_no_id(text: str) -> None:
    """What is read as an id is shown as it was given, in small letters."""
    found = parse_recording_id(text)
    assert found is None or text.lower() in (found, render_recording_uuid(found))


@given(notes=NOTES)
def test_notes_survive_json(notes: list[NotedLegs]) -> None:
    """Sides, ports and codecs come back as they were."""
    assert notes_from_plain(json.loads(json.dumps(notes_to_plain(tuple(notes))))) == tuple(notes)


def test_every_part_of_a_link_is_signed() -> None:
    """No two links stand for the same text."""
    texts = {
        render_link_text(auth_id, id_, format_, expires_s)
        for auth_id in ("MA1", "MA2")
        for id_ in ("a" * 32, "b" * 32)
        for format_ in RecordFormat
        for expires_s in (1, 11)
    }
    assert len(texts) == 16
