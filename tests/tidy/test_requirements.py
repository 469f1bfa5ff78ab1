"""Dependencies are few, named with their reason, and locked."""

import re

import pytest

from tests.tidy.tree import ROOT

RECORD = ROOT / "docs" / "adr" / "0013-python-and-dependencies.md"


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "requirements").glob("*.txt")))
def test_every_locked_package_has_hashes(name: str) -> None:
    """Each package is pinned to one version and to the bytes of its files."""
    text = (ROOT / "requirements" / name).read_text()
    blocks = re.findall(r"^[A-Za-z0-9][^\n]*(?:\n[ \t]+[^\n]*)*", text, re.MULTILINE)
    loose = [block.split()[0] for block in blocks if "==" not in block or "--hash=sha256:" not in block]
    assert blocks
    assert loose == []


def test_every_direct_dependency_has_its_reason() -> None:
    """A dependency of the service is named in the decision record on dependencies."""
    lines = (ROOT / "requirements" / "runtime.in").read_text().splitlines()
    names = [re.split(r"[\[<>=~! ]", line)[0] for line in lines if line and line[0] not in "#-"]
    record = RECORD.read_text().lower()
    assert names
    assert [name for name in names if name.lower() not in record] == []
