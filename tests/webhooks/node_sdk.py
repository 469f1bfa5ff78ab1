"""The vendors' Node clients, which `tools/node-sdk` puts into a cache. Without them their tests skip by name."""

import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from tests.peers import program

_HERE: Final = Path(__file__).parent.parent / "node"


def check_with_node(cases: Sequence[dict[str, Any]]) -> list[Any]:
    """Let the clients check signatures: True, False, or the text of an error, for each case."""
    results: list[Any] = ask_node("verify.js", cases)
    assert len(results) == len(cases)
    return results


def ask_node(script: str, question: object) -> Any:
    """Run a script of `tests/node`; JSON goes in and comes out."""
    node = program("node")
    done = subprocess.run(
        [node, str(_HERE / script)],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"NODE_PATH": str(node_modules()), "PATH": os.environ["PATH"]},
    )
    return json.loads(done.stdout)


def node_modules() -> Path:
    """Where the clients are, and the libraries they came with; skips or fails where they are not."""
    cache = _cache()
    if not (cache / _stamp()).exists():
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("the vendors' Node clients are not installed: tools/node-sdk")
    return cache / "node_modules"


def _cache() -> Path:
    if given := os.environ.get("MASKLINE_NODE_SDK"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskline-node-sdk"


def _stamp() -> str:
    return hashlib.sha256((_HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
