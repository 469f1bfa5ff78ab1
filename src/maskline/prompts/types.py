"""What is asked of the prompt library, and what it answers; imports nothing, since the relay's guard does this."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFile:
    """Encoded audio on this machine's disk: `{stem}.{payload_type}`, raw payload bytes without any header."""

    stem: str
    payload_type: int
    duration_s: float


class BuiltIn(StrEnum):
    """A prompt that needs no URL. Ringback and silence last one period and are made to be repeated."""

    PIN = "pin"  # please enter your PIN
    PIN_WRONG = "pin-wrong"
    NOT_IN_SERVICE = "not-in-service"
    RINGBACK = "ringback"
    SILENCE = "silence"


class PromptFailure(StrEnum):
    """Why there is no prompt for a URL."""

    FETCH_REFUSED = "fetch-refused"  # the client for outgoing requests does not go there
    FETCH_FAILED = "fetch-failed"
    NOT_FOUND = "not-found"  # answered, but not by 200
    TOO_LARGE = "too-large"
    TOO_LONG = "too-long"
    NOT_AUDIO = "not-audio"  # neither MP3 nor WAV, whatever its name says
    DECODE_FAILED = "decode-failed"


class PromptUnavailable(Exception):  # noqa: N818
    """There is nothing to play; says nothing of the URL, which may hold a secret."""

    def __init__(self, failure: PromptFailure) -> None:
        super().__init__(failure.value)
        self.failure = failure
