import json
import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from maskline.engine.media_log import GuardLog, read_engine_line


def test_engine_line() -> None:
    """Level, call and place survive, and of the text the plain words."""
    line = (
        "20261122/00:34:15.000/GLOBAL WARN:call7:rtpp_stream_x:123: addr 192.0.2.7:4000 latched by fe80::a\n"
    )
    assert read_engine_line("WARN:call7:rtpp_stream_x:123: addr 192.0.2.7:4000 latched by fe80::a") == {
        "level": "warning",
        "call": "call7",
        "place": "rtpp_stream_x:123",
        "text": "addr # latched by #",
    }
    assert read_engine_line(line)["text"] == "addr # latched by #"


def test_foreign_line() -> None:
    """A line that is not the engine's keeps only plain words too."""
    assert read_engine_line("malloc: 0x7f 192.0.2.7 corrupted")["text"] == "# # # corrupted"


@given(
    st.ip_addresses().map(str),
    st.integers(1024, 65535),
    st.sampled_from(["{}:{}", "[{}]:{}", "<{} {}>", "{};{}"]),
)
def test_no_address_survives(address: str, port: int, form: str) -> None:
    """However an address is written, it is masked."""
    text = f"ERR:call:place:1: from {form.format(address, port)} came nothing"
    said = str(read_engine_line(text)["text"])
    assert address not in said
    assert str(port) not in said


def test_slow_reader_never_blocks() -> None:
    """When the reader of the log stops, lines are counted and thrown away, and the count is told later."""
    reader, writer = os.pipe()
    log = GuardLog(writer)
    for _ in range(500):
        log.write("media.test", text="x" * 1000)
    taken = os.read(reader, 1 << 20)
    while b"\n" in taken and len(taken) < 40_000:
        taken += os.read(reader, 1 << 20)
    log.write("media.after")
    last = json.loads(os.read(reader, 1 << 20).splitlines()[-1])
    os.close(reader)
    assert last["event"] == "media.after"
    assert last["lost_lines"] > 400
    log.write("media.nobody_reads")  # the pipe is broken: no exception, no signal
    os.close(writer)


def test_pump_carries_what_libraries_write_to_stderr() -> None:
    """Text written to descriptor 2, by any code of the process, comes out as a structured line."""
    program = (
        "import os\n"
        "from maskline.engine.media_log import StderrPump\n"
        "pump = StderrPump()\n"
        "os.write(2, b'ERR:GLOBAL:some_function:9: cannot bind 192.0.2.9:5000\\n')\n"
        "pump.stop()\n"
        "os.write(2, b'plain again')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=30)
    line, rest = done.stderr.splitlines()
    assert json.loads(line) == {
        "event": "media.engine_said",
        "level": "error",
        "text": "cannot bind #",
        "place": "some_function:9",
    }
    assert rest == b"plain again"
