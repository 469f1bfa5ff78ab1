"""Recordings and links to their audio."""

from typing import Annotated, Final, Literal

from pydantic import Field

from maskline.api.native.models.common import ID_LENGTH_MAX, Instant, ListQuery, Request, Resource
from maskline.core.masking import RecordFormat
from maskline.core.recording import RETENTION_DAYS_MAX

LINK_S_MIN: Final = 60
LINK_S_MAX: Final = 7 * 86_400
LINK_S_DEFAULT: Final = 3600
_ID: Final = r"^[!-~]+$"


class RecordingView(Resource):
    """A recording that can be heard."""

    object: Literal["recording"] = "recording"
    id: str
    session_id: str
    call_id: str
    format: RecordFormat
    started_at: Annotated[Instant, Field(description="When the parties were joined.")]
    ended_at: Instant
    duration_ms: int
    size_bytes: int
    interrupted: Annotated[
        bool, Field(description="Nobody saw the call's end: the audio ends with its last packet.")
    ]
    completed_at: Instant
    expires_at: Annotated[Instant | None, Field(description="When it will be deleted for its age.")]
    audio_url: Annotated[str, Field(description="Its audio, with the credentials of this interface.")]


class RecordingQuery(ListQuery):
    """What may be asked of GET recordings."""

    session_id: Annotated[str | None, Field(max_length=ID_LENGTH_MAX, pattern=_ID)] = None
    call_id: Annotated[str | None, Field(max_length=ID_LENGTH_MAX, pattern=_ID)] = None
    completed_after: Instant | None = None
    completed_before: Instant | None = None


class NewRecordingLink(Request):
    """What is asked of POST recordings/{id}/link."""

    expires_in_s: Annotated[int, Field(ge=LINK_S_MIN, le=LINK_S_MAX)] = LINK_S_DEFAULT


class RecordingLinkView(Resource):
    """A URL with which anybody hears the recording, without credentials, for a while."""

    object: Literal["recording_link"] = "recording_link"
    recording_id: str
    url: str
    expires_at: Instant


class RetentionChange(Request):
    """What is asked of PATCH recording-retention."""

    days: Annotated[
        int | None,
        Field(ge=1, le=RETENTION_DAYS_MAX, description="After its call's end; null: until it is deleted."),
    ]


class RetentionView(Resource):
    """For how long an account's recordings are kept."""

    object: Literal["recording_retention"] = "recording_retention"
    days: Annotated[int | None, Field(description="After the call's end; null: until it is deleted.")]
