from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.api.service import Service
from tests.cli.conftest import Maskline, Result


@dataclass(frozen=True, kw_only=True)
class Sides:
    """One database, reached by commands of its own machine and through its service."""

    maskline: Maskline
    service: Service
    key_file: Path

    def here(self, *tokens: str) -> Result:
        """On the database."""
        settings = ("--database-url", self.service.database_url, "--key-file", str(self.service.key_file))
        return self.maskline(*tokens, *settings)

    def there(self, *tokens: str) -> Result:
        """Through the service."""
        return self.maskline(*tokens, "--server", self.server, "--api-key-file", str(self.key_file))

    def same(self, *tokens: str) -> Result:
        """Both ways, in words and as JSON; they have to say the same."""
        for form in ((), ("--json",)):
            here, there = self.here(*tokens, *form), self.there(*tokens, *form)
            assert (there.code, there.out, there.err) == (here.code, here.out, here.err)
        return there

    @property
    def server(self) -> str:
        return f"http://127.0.0.1:{self.service.port}"


@pytest.fixture
def sides(maskline: Maskline, service: Service, tmp_path: Path) -> Sides:
    """With an operator's key."""
    sides = Sides(maskline=maskline, service=service, key_file=tmp_path / "operator.key")
    made = sides.here("key", "create", "operator", "--json")
    assert made.code == 0, made.err
    sides.key_file.write_text(made.json["secret"] + "\n")
    return sides


@pytest.fixture
def owned(sides: Sides) -> Sides:
    """And an account called demo."""
    assert sides.there("account", "create", "demo").code == 0
    return sides
