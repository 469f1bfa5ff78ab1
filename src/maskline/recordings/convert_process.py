"""The process in which one capture is converted: at low priority, bounded, and gone when its parent is.

It reads a job as one line of JSON from standard input and answers with one line on standard output. What else
may happen to it (a decoder that crashes, memory or time that runs out) is its parent's to notice.
"""

import errno
import json
import os
import resource
import sys
import threading
from typing import Final

from maskline.recordings.capture import CaptureUnreadableError
from maskline.recordings.conversion import ConversionJob
from maskline.recordings.convert import convert

NICENESS: Final = 19
MEMORY_BYTES_MAX: Final = 512 * 1024 * 1024
"""Data of the process, libraries' buffers included; a conversion takes some 60 MB of it."""
_STANDARD_INPUT: Final = 0


def main() -> None:
    """Convert one capture."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold people's voices
    job = ConversionJob.from_json(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        audio = convert(job)
    except CaptureUnreadableError:
        answer: dict[str, object] = {"error": "unreadable"}
    except OSError as error:
        answer = {"error": "no-room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "system"}
    except MemoryError:
        answer = {"error": "memory"}
    else:
        answer = {
            "ended_at": audio.ended_at,
            "duration_ms": audio.duration_ms,
            "size_bytes": audio.size_bytes,
            "packet_count": audio.packet_count,
        }
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the thread below may be inside a read, where an interpreter that winds up could not stop it


def _end_with_parent() -> None:
    """Leave at once when the pipe closes: whoever held the other end was killed."""
    while os.read(_STANDARD_INPUT, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
