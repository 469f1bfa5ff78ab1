from pathlib import Path

from tests.cli.conftest import Maskline


def test_init_makes_database_and_key_for_the_owner_only(maskline: Maskline, tmp_path: Path) -> None:
    """And says where."""
    result = maskline("db", "init", "--json")
    assert result.json == {
        "database": "sqlite:///var/maskline.db",
        "key_file": "var/maskline.key",
        "state": "ready",
    }
    for name in ("maskline.db", "maskline.key"):
        assert (tmp_path / "var" / name).stat().st_mode & 0o077 == 0


def test_check_opens_it(ready: Maskline) -> None:
    """With the key file."""
    assert ready("db", "check").out == "sqlite:///var/maskline.db: current\n"
    assert ready("db", "check", "--key-file", "none").code == 1


def test_upgrade_of_a_current_database_changes_nothing(ready: Maskline) -> None:
    """It may be run at every deployment."""
    assert ready("db", "upgrade", "--json").json["state"] == "current"


def test_init_where_nothing_can_be_made_exits_1(maskline: Maskline, tmp_path: Path) -> None:
    """With a sentence."""
    (tmp_path / "file").write_text("")
    result = maskline("db", "init", "--data-dir", "file/sub")
    assert result.code == 1
    assert result.err.startswith("maskline: cannot make")
