import io
import json
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from maskline.observability import HIDDEN, QUEUE_LINES_MAX, LineWriter, configure_logging, redact, redact_text

NUMBER = "919876543210"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize(
    "text",
    [
        NUMBER,
        f"+{NUMBER}",
        f"sip:+{NUMBER}@10.0.0.1",
        f"first_party=%2B{NUMBER}&limit=1",
        "+91 98765 43210",
        "(022) 6994-7011",
        "98765.43210",
        "INVITE sip:9876543210;phone-context=+91",
        f"ValueError: invalid literal: '{NUMBER}x'",
        f"x{NUMBER}y",
    ],
)
def test_numbers_in_any_dress_are_hidden(text: str) -> None:
    """Neither the number nor seven digits of it in a row remain."""
    redacted = redact_text(text)
    assert HIDDEN in redacted
    digits = "".join(character for character in redacted.replace("10.0.0.1", "") if character.isdigit())
    assert len(digits) < 7


@pytest.mark.parametrize(
    "text",
    [
        "8dd7b81f-1cdc-4e5c-9999-123456789012",
        "deadbeef12345678deadbeef12345678",
        "2026-11-22T00:05:40.123456Z",
        "2026-11-22 00:05:40",
        "192.168.100.200:50600",
        "MA012345678901234567",
        "call lasted 123456 ms",
    ],
)
def test_identifiers_stay(text: str) -> None:
    """What an operator needs to follow a call is left as it is."""
    assert redact_text(text) == text


def test_redact_looks_into_every_value() -> None:
    """Numbers hide in nested values, keys, integers and representations; secrets by their key."""

    class Odd:
        def __repr__(self) -> str:
            return f"<{NUMBER}>"

    event: dict[str, Any] = {
        "event": "x.y",
        "n": int(NUMBER),
        "nested": {NUMBER: [NUMBER, (NUMBER,), {NUMBER}]},
        "odd": Odd(),
        "auth_token": "abc",
        "first_pin": 1234,
        "deep": [[[[[[[[1]]]]]]]],
        "started_at": 1_767_225_600_000_000,
        "ratio": 0.5,
        "is_new": True,
        "nothing": None,
    }
    redacted = redact(None, "info", event)
    assert NUMBER not in repr(redacted)
    assert "abc" not in repr(redacted)
    assert "1234" not in repr(redacted)
    assert redacted["started_at"] == 1_767_225_600_000_000
    assert (redacted["ratio"], redacted["is_new"], redacted["nothing"]) == (0.5, True, None)


def test_every_line_passes_the_same_pipeline() -> None:
    """Our events, library records and tracebacks come out as redacted JSON lines."""
    stream = io.StringIO()
    writer = configure_logging(level="info", is_json=True, stream=stream)
    structlog.get_logger("ours").bind(account_id=7).info("call.admitted", caller=NUMBER)
    logging.getLogger("theirs").warning("bad number %s", NUMBER)
    structlog.get_logger("ours").debug("call.detail")
    try:
        int(f"{NUMBER}x")
    except ValueError:
        structlog.get_logger("ours").exception("task.failed")
    writer.close()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["call.admitted", f"bad number {HIDDEN}", "task.failed"]
    assert lines[0]["account_id"] == 7
    assert "Traceback" in lines[2]["exception"]
    assert NUMBER not in stream.getvalue()


def test_console_lines_are_redacted_too() -> None:
    """The form for people hides the same things."""
    stream = io.StringIO()
    writer = configure_logging(is_json=False, stream=stream)
    structlog.get_logger("ours").info("call.admitted", caller=NUMBER)
    writer.close()
    assert "call.admitted" in stream.getvalue()
    assert NUMBER not in stream.getvalue()


def test_a_blocked_reader_costs_lines_not_time() -> None:
    """With nobody reading the pipe, writing returns at once and the loss is told when reading resumes."""
    reading, writing = os.pipe()
    with open(writing, "w", encoding="utf-8") as stream, open(reading, encoding="utf-8") as reader:
        writer = LineWriter(stream)
        line = "x" * 1_000 + "\n"
        written = 0
        while not writer._dropped_count:
            writer.write(line)
            written += 1
            assert written <= QUEUE_LINES_MAX + 1_000
        lines: list[str] = []
        done = threading.Event()

        def read() -> None:
            for got in reader:
                lines.append(got)
                if got == "last\n":
                    break
            done.set()

        threading.Thread(target=read, daemon=True).start()
        while not lines or len(lines) < written // 2:
            assert not done.wait(0.01)
        writer.write("last\n")
        assert done.wait(10)
        writer.close()
    assert any("log.dropped" in got for got in lines)


def test_a_vanished_reader_does_not_raise() -> None:
    """Logging to a closed pipe is quietly given up."""
    reading, writing = os.pipe()
    os.close(reading)
    writer = LineWriter(open(writing, "w", encoding="utf-8", buffering=1))  # noqa: SIM115
    writer.write("x\n")
    writer.close()
    assert not writer._thread.is_alive()
    try:
        writer._stream.close()
    except BrokenPipeError:
        return
