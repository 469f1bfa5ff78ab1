import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from maskline.prompts.decoder_process import DecoderProcess
from maskline.prompts.format import CONTENT_BYTES_MAX, FRAME_BYTES, PromptCodec
from maskline.prompts.types import PromptFailure
from tests.prompts.audio import hear, likeness, make_file, make_wav, sweep, tone


def _saying(program: str) -> tuple[str, ...]:
    """A decoder that does something else."""
    return (
        sys.executable,
        "-I",
        "-c",
        f"import sys, time, os\nread = sys.stdin.buffer.read\nwrite = sys.stdout.buffer.write\n{program}",
    )


def _answer(header: object, size: int) -> str:
    return f"read(); write({json.dumps(header)!r}.encode() + b'\\n' + bytes({size}))"


@pytest.mark.parametrize(
    "content",
    [make_wav(sweep(1.0, 8_000)), make_file("mp3", "libmp3lame", sweep(1.0, 44_100), 44_100)],
    ids=["wav", "mp3"],
)
def test_file_becomes_payloads(tmp_path: Path, content: bytes) -> None:
    """The real process decodes WAV and MP3 for each codec, and leaves no file."""
    payloads = DecoderProcess(tmp_path).decode(content)
    assert not isinstance(payloads, PromptFailure)
    assert payloads.keys() == {0, 8, 9}
    heard, _ = hear(PromptCodec.PCMA, payloads[8])
    assert likeness(heard, sweep(1.0, 8_000)) > 0.95
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "failure"),
    [
        (b"", PromptFailure.NOT_AUDIO),
        (b"#EXTM3U\nhttp://127.0.0.1/", PromptFailure.NOT_AUDIO),
        (b"RIFF\0\0\0\0WAVE", PromptFailure.DECODE_FAILED),
        (make_wav(tone(700, 121)), PromptFailure.TOO_LONG),
        (bytes(CONTENT_BYTES_MAX + 1), PromptFailure.TOO_LARGE),
        (bytes(4 * CONTENT_BYTES_MAX), PromptFailure.TOO_LARGE),
    ],
)
def test_file_that_is_no_prompt_has_its_reason(
    tmp_path: Path, content: bytes, failure: PromptFailure
) -> None:
    """The process says why it made nothing."""
    assert DecoderProcess(tmp_path).decode(content) is failure


@pytest.mark.parametrize(
    "program",
    [
        "sys.exit(1)",
        "os.abort()",
        "os.kill(os.getpid(), 11)",
        "",
        "read(); write(b'\\n')",
        "read(); write(b'no JSON\\n')",
        "read(); write(b'[' * 100_000 + b'\\n')",
        "read(); write(b'7\\n')",
        _answer({}, 0),
        _answer({"failure": "nonsense"}, 0),
        _answer({"failure": 7}, 0),
        _answer({"frame_count": 0}, 0),
        _answer({"frame_count": -1}, 0),
        _answer({"frame_count": 1.0}, 3 * FRAME_BYTES),
        _answer({"frame_count": "1"}, 3 * FRAME_BYTES),
        _answer({"frame_count": 1}, 3 * FRAME_BYTES - 1),
        _answer({"frame_count": 1}, 3 * FRAME_BYTES + 1),
        _answer({"frame_count": 6_001}, 6_001 * 3 * FRAME_BYTES),
        _answer({"frame_count": 10**30}, 0),
        "read(); write(bytes(50_000_000))",
    ],
)
def test_process_that_dies_or_lies_is_a_failure(tmp_path: Path, program: str) -> None:
    """Crashes, wrong sizes and nonsense make no prompt."""
    assert DecoderProcess(tmp_path, _saying(program)).decode(b"x" * 100_000) is PromptFailure.DECODE_FAILED


def test_process_that_hangs_is_ended(tmp_path: Path) -> None:
    """Time is bounded, whether the process reads its input or not."""
    started = time.monotonic()
    for program in ("time.sleep(60)", "read(); time.sleep(60)", "while True: pass"):
        decoder = DecoderProcess(tmp_path, _saying(program))
        assert decoder.decode(b"x" * 1_000_000, time_limit_s=0.3) is PromptFailure.DECODE_FAILED
    assert time.monotonic() - started < 10


def test_closing_ends_what_runs(tmp_path: Path) -> None:
    """Nobody waits for a decoder when the service stops, and none is started afterwards."""
    decoder = DecoderProcess(tmp_path, _saying("open('started', 'w'); time.sleep(60)"))
    outcomes: list[object] = []
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        thread = threading.Thread(target=lambda: outcomes.append(decoder.decode(b"x")))
        thread.start()
        deadline = time.monotonic() + 20
        while not (tmp_path / "started").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.chdir(here)
    decoder.close()
    thread.join(20)
    assert outcomes == [PromptFailure.DECODE_FAILED]
    assert decoder.decode(b"x") is PromptFailure.DECODE_FAILED


def test_process_is_told_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords in the service's environment are not in the decoder's."""
    monkeypatch.setenv("MASKLINE_DATABASE_URL", "postgresql://user:secret@host/x")
    program = "read(); write(b'{\"failure\": \"too-long\"}\\n' if 'MASKLINE_DATABASE_URL' not in os.environ else b'')"
    assert DecoderProcess(tmp_path, _saying(program)).decode(b"x") is PromptFailure.TOO_LONG
