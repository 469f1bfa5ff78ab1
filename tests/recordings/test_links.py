from maskline.core.masking import RecordFormat
from maskline.core.recording import RecordingLink
from maskline.recordings.links import (
    build_audio_path,
    build_linked_path,
    build_offered_path,
    build_resource_path,
)

ID = "0123456789abcdef0123456789abcdef"
UUID = "01234567-89ab-cdef-0123-456789abcdef"


def test_addresses_of_a_recording() -> None:
    """The resource, its audio, and its audio by a signed link."""
    assert build_resource_path("MA1", ID) == f"/v1/Account/MA1/Recording/{UUID}/"
    audio = build_audio_path("MA1", ID, RecordFormat.MP3)
    assert audio == f"/v1/Account/MA1/Recording/{UUID}.mp3"
    link = RecordingLink(
        auth_id="MA1", recording_id=ID, format=RecordFormat.MP3, expires_s=1_800_000_000, signature="ab"
    )
    assert build_linked_path(link) == f"{audio}?expires=1800000000&signature=ab"
    assert build_offered_path("MA1", ID, RecordFormat.MP3, link) == build_linked_path(link)
    assert build_offered_path("MA1", ID, RecordFormat.MP3, None) == audio
