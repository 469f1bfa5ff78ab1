from pathlib import Path

import pytest

from maskline.cli.context import Context, found, split_global_options
from maskline.errors import InputError, RefusedError


def test_options_are_taken_out_wherever_they_stand() -> None:
    """And what is left keeps its order."""
    context, left = split_global_options(
        [
            "--json",
            "account",
            "--config=a.toml",
            "create",
            "--data-dir",
            "d",
            "name",
            "--http-bind=[::1]:1",
            "--x",
        ]
    )
    assert left == ["account", "create", "name", "--x"]
    assert (context.is_json, context.config) == (True, Path("a.toml"))
    assert context.flags == {"data_dir": "d", "http_bind": "[::1]:1"}


def test_the_last_value_counts() -> None:
    """As with any command."""
    context, _ = split_global_options(["--config", "a", "--config", "b", "--data-dir", "c", "--data-dir=d"])
    assert (context.config, context.flags) == (Path("b"), {"data_dir": "d"})


@pytest.mark.parametrize("option", ["--config", "--data-dir"])
def test_a_value_must_follow(option: str) -> None:
    """At the end of the line there is none."""
    with pytest.raises(InputError, match=f"{option} needs a value"):
        split_global_options(["account", option])


def test_two_dashes_end_the_options() -> None:
    """What follows belongs to the command."""
    context, left = split_global_options(["account", "--", "--json", "--config"])
    assert (context.is_json, context.config) == (False, None)
    assert left == ["account", "--", "--json", "--config"]


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns as wide as their widest cell; nothing is a dash, lists are joined."""
    rows: list[dict[str, object]] = [{"a": 1, "b": ["x", "y"], "c": "hidden"}, {"a": None, "b": [], "c": ""}]
    Context().answer_table(rows, ("a", "b"), "none")
    assert capsys.readouterr().out == "a  b\n1  x,y\n-  -\n"
    Context().answer_table([], ("a", "b"), "none")
    assert capsys.readouterr().out == "none\n"
    Context(is_json=True).answer_table([{"a": 1}], ("a",), "none")
    assert capsys.readouterr().out == '[{"a": 1}]\n'


def test_what_is_not_found_is_named() -> None:
    """In a sentence."""
    assert found(1, "account", "x") == 1
    with pytest.raises(RefusedError, match="there is no account 'x'"):
        found(None, "account", "x")
