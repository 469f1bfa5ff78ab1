"""Recordings and calls through the official Python client."""

from typing import Any

import plivo
import plivo.exceptions
import pytest
from tests.api.plivo.shelf import SECOND, Shelf

from maskline.clock import to_datetime
from maskline.core.call_record import Side, leg_id
from maskline.core.masking import RecordFormat
from maskline.core.recording import render_recording_uuid
from maskline.store import recordings as rows


def test_recordings_are_listed_got_and_deleted(shelf: Shelf, shelf_client: plivo.RestClient) -> None:
    """The client's own objects, read by their attributes."""
    first = shelf.record()
    shelf.service.manual_clock.advance(s=1)
    second = shelf.record(RecordFormat.WAV)
    recordings = shelf_client.recordings
    listed = recordings.list(limit=5)
    assert [it.recording_id for it in listed] == [render_recording_uuid(it) for it in (second, first)]
    uuid = render_recording_uuid(first)
    got = recordings.get(uuid)
    assert (got.recording_id, got.recording_format, got.recording_type) == (uuid, "mp3", "normal")
    assert got.recording_url == f"http://maskline.test{shelf.tenant.path}/Recording/{uuid}.mp3"
    assert got.recording_duration_ms == "10000.00000"
    recordings.delete(uuid)
    assert [it.recording_format for it in recordings.list()] == ["wav"]
    with pytest.raises(plivo.exceptions.ResourceNotFoundError):
        recordings.delete(uuid)


def test_list_of_recordings_takes_every_filter(shelf: Shelf, shelf_client: plivo.RestClient) -> None:
    """By call, time and page; of conferences there are none."""
    service = shelf.service
    first = shelf.record()
    service.manual_clock.advance(s=100)
    second = shelf.record(RecordFormat.WAV)
    stored = service.run(rows.load_recording, first)
    assert stored is not None
    assert stored.completed_at is not None
    call = leg_id(stored.call_id, Side.A)
    instant = f"{to_datetime(stored.completed_at // SECOND * SECOND):%Y-%m-%d %H:%M:%S}"
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({}, [second, first]),
        ({"call_uuid": call}, [first]),
        ({"add_time__gt": instant}, [second]),
        ({"add_time__gte": instant}, [second, first]),
        ({"add_time__lt": instant}, []),
        ({"add_time__lte": instant}, [first]),
        ({"limit": 1}, [second]),
        ({"limit": 1, "offset": 1}, [first]),
        ({"from_number": "912025550000"}, []),
        ({"recording_storage_duration": 1}, [second, first]),
        ({"conference_name": "x"}, []),
    ]
    for given, found in cases:
        listed = shelf_client.recordings.list(**given)
        assert [it.recording_id for it in listed] == [render_recording_uuid(it) for it in found], given
