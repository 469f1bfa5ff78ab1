import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Maskline

from maskline.cli.context import Context
from maskline.cli.main import MODULES, build_app

COMMANDS_ON_DATA = [
    ("account", "create", "demo"),
    ("account", "list"),
    ("trunk", "add", "t", "--peer", "127.0.0.1:5060"),
    ("trunk", "list"),
    ("number", "add", "+912269947011", "--account", "a", "--trunk", "t"),
    ("number", "list"),
    ("number", "drain", "+912269947011"),
    ("number", "remove", "+912269947011"),
    ("db", "check"),
    ("db", "upgrade"),
]


@pytest.mark.parametrize("command", COMMANDS_ON_DATA, ids=" ".join)
def test_without_database_commands_exit_3_and_make_nothing(
    maskline: Maskline, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """They name the path they looked at."""
    result = maskline(*command, "--data-dir", str(tmp_path / "data"))
    assert result.code == 3
    assert str(tmp_path / "data" / "maskline.db") in result.err
    assert result.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (["bogus"], 'Unknown command "bogus"'),
        (["account", "create"], "NAME requires an argument"),
        (["account", "create", "a", "--bogus"], "--bogus"),
        (["account", "create", "a", "b"], "b"),
        (["account", "list", "--config"], "--config needs a value"),
        (["account", "list", "--config", "none.toml"], "none.toml"),
        (["account", "list", "--http-bind=x"], "http_bind: expected HOST:PORT"),
        (["trunk", "add", "t", "--peer", "127.0.0.1:5060", "--transport", "sctp"], "sctp"),
    ],
)
def test_wrong_usage_exits_2_with_one_sentence(maskline: Maskline, tokens: list[str], said: str) -> None:
    """No traceback, no box, on stderr."""
    result = maskline(*tokens)
    assert result.code == 2
    assert said in result.err
    assert result.err.startswith("maskline: ")
    assert result.err.count("\n") == 1
    assert result.out == ""


def test_errors_are_json_too(maskline: Maskline) -> None:
    """With --json wherever it stands, for usage errors as well."""
    for tokens in (
        ("--json", "account", "list"),
        ("account", "--json", "list"),
        ("account", "list", "--json"),
    ):
        result = maskline(*tokens)
        assert json.loads(result.err)["error"]["code"] == "database.missing"
    assert json.loads(maskline("bogus", "--json").err)["error"]["code"] == "input.invalid"
    assert (
        json.loads(maskline("--json", "account", "list", "--config").err)["error"]["code"] == "input.invalid"
    )


def test_config_and_settings_stand_anywhere(maskline: Maskline, tmp_path: Path) -> None:
    """Before or after the command's name, with a blank or an equals sign."""
    (tmp_path / "m.toml").write_text("calls_max = 7\n")
    for tokens in (
        ("--config", "m.toml", "config", "show", "--json"),
        ("config", "--json", "--config=m.toml", "show"),
        ("--json", "config", "show", "--config", "m.toml"),
        ("config", "show", "--calls-max", "7", "--json"),
    ):
        assert maskline(*tokens).json["calls_max"] == 7


def test_after_two_dashes_everything_is_the_commands(ready: Maskline) -> None:
    """A name may look like an option."""
    assert ready("account", "create", "--json", "--", "--config").json["name"] == "--config"


def test_help_and_version(maskline: Maskline) -> None:
    """They exit 0 and need no database."""
    assert "account" in maskline("--help").out
    assert "--auth-token" in maskline("account", "create", "--help").out
    assert maskline("--version").out.strip()
    assert maskline("--help").code == maskline("--version").code == 0


def test_every_command_is_found_by_its_first_word() -> None:
    """Whichever command is named, what is loaded for it alone has it as all commands together do."""
    everything = build_app(Context())
    assert {word for word in everything if not word.startswith("-")} == set(MODULES)
    for word in MODULES:
        alone = build_app(Context(), (word, "list"))
        assert [*alone[word]] == [*everything[word]]


@pytest.mark.parametrize(
    ("tokens", "unwanted"),
    [
        (("--version",), {"sqlalchemy", "structlog", "dns", "numpy", "av"}),
        (("config", "show"), {"sqlalchemy", "dns", "numpy", "av"}),
        (("trunk", "list"), {"fastapi", "dns", "numpy", "av"}),
        (("serve", "--help"), {"fastapi", "sqlalchemy", "numpy", "av"}),
    ],
)
def test_short_commands_load_little(tokens: tuple[str, ...], unwanted: set[str], tmp_path: Path) -> None:
    """What takes a tenth of a second to load, and is of no use to a command, is not loaded for it."""
    program = (
        f"import sys; from maskline.cli.main import run; run({tokens}); sys.exit(' '.join({{*sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, cwd=tmp_path, text=True, timeout=30
    )
    loaded = set(done.stderr.split())
    assert "maskline.config" in loaded
    assert loaded & unwanted == set()


def test_unreadable_database_exits_1(ready: Maskline, tmp_path: Path) -> None:
    """A file that is no database, and a key file of another one, are told apart from a missing one."""
    (tmp_path / "bad.db").write_bytes(b"x" * 10_000)
    result = ready("account", "list", "--database-url", f"sqlite:///{tmp_path / 'bad.db'}")
    assert (result.code, result.out) == (1, "")
    assert ready("db", "init", "--data-dir", "other").code == 0
    result = ready("account", "list", "--key-file", "other/maskline.key")
    assert result.code == 1
    assert "key file" in result.err


def test_db_init_can_be_repeated(ready: Maskline) -> None:
    """It keeps what is there."""
    assert ready("account", "create", "demo").code == 0
    assert ready("db", "init", "--json").json["state"] == "ready"
    assert ready("db", "upgrade").code == ready("db", "check").code == 0
    assert [row["name"] for row in ready("account", "list", "--json").json] == ["demo"]


def test_installed_command(tmp_path: Path) -> None:
    """`python -m maskline` in a process of its own: output, exit code, silence on a closed pipe."""
    command = [sys.executable, "-m", "maskline", "config", "show", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["http_bind"] == "127.0.0.1:8080"
    failed = subprocess.run(
        [sys.executable, "-m", "maskline", "account", "list"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert failed.returncode == 3
