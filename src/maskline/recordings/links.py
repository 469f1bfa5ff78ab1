"""Where recordings are found over HTTP: their files and what is known of them."""

from typing import Final
from urllib.parse import urlencode

from maskline.core.masking import RecordFormat
from maskline.core.recording import RecordingLink, render_recording_uuid

ACCOUNT_PREFIX: Final = "/v1/Account"


def build_resource_path(auth_id: str, recording_id: str) -> str:
    """Name what is known of a recording."""
    return f"{ACCOUNT_PREFIX}/{auth_id}/Recording/{render_recording_uuid(recording_id)}/"


def build_audio_path(auth_id: str, recording_id: str, format_: RecordFormat) -> str:
    """Name a recording's file; whoever asks for it needs the account's credentials."""
    return f"{ACCOUNT_PREFIX}/{auth_id}/Recording/{render_recording_uuid(recording_id)}.{format_.value}"


def build_offered_path(
    auth_id: str, recording_id: str, format_: RecordFormat, link: RecordingLink | None
) -> str:
    """Name a recording's file as it is told to others: by its link where there is one."""
    if link is not None:
        return build_linked_path(link)
    return build_audio_path(auth_id, recording_id, format_)


def build_linked_path(link: RecordingLink) -> str:
    """Name a recording's file so that it is had without credentials, as long as the link holds."""
    query = urlencode({"expires": link.expires_s, "signature": link.signature})
    return f"{build_audio_path(link.auth_id, link.recording_id, link.format)}?{query}"
