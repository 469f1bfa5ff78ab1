"""The synchronous client is the asynchronous one."""

import subprocess
import sys

from tests.tidy.tree import ROOT


def test_generated_files_are_current() -> None:
    """Whoever changes one client changes both: `tools/make-client` has nothing left to do."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make-client"), "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "")
