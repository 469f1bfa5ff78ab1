"""The prompts that need no URL, as files: recorded ones from the package, tones made when asked for."""

import io
import wave
from importlib import resources
from typing import Final, assert_never

from maskline.prompts.ringback import find_ringback, make_ringback
from maskline.prompts.types import BuiltIn

SILENCE_MS: Final = 1_000
_SILENCE_RATE_HZ: Final = 8_000


def load_built_in(name: BuiltIn, country: str) -> bytes:
    """Return a WAV file; `country` (ISO 3166, two letters) matters to ringback alone."""
    match name:
        case BuiltIn.PIN | BuiltIn.PIN_WRONG | BuiltIn.NOT_IN_SERVICE:
            return resources.files("maskline.prompts").joinpath("audio", f"{name.value}.wav").read_bytes()
        case BuiltIn.RINGBACK:
            return make_ringback(find_ringback(country))
        case BuiltIn.SILENCE:
            return _make_silence()
        case _:
            assert_never(name)


def _make_silence() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(_SILENCE_RATE_HZ)
        writer.writeframes(bytes(2 * SILENCE_MS * _SILENCE_RATE_HZ // 1000))
    return file.getvalue()
