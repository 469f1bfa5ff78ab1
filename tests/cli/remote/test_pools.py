from tests.cli.remote.conftest import Sides


def test_pools_are_the_same_from_both_sides(sides: Sides) -> None:
    """Made there, listed here, filled, refused and deleted either way."""
    account = "pools of both"
    assert sides.there("account", "create", account).code == 0
    number = f"+141555{sides.service.port:05d}"[:12]
    trunk = sides.service.trunk.name
    assert sides.there("number", "add", number, "--account", account, "--trunk", trunk).code == 0
    assert sides.there("pool", "create", account, "blue", "--policy", "spread").code == 0
    assert "already" in sides.there("pool", "create", account, "blue").err
    assert sides.there("pool", "join", account, "blue", number).code == 0
    [listed] = sides.same("pool", "list", account).json
    assert (listed["name"], listed["policy"], listed["numbers"]) == ("blue", "spread", 1)
    sides.same("pool", "delete", account, "blue")
    sides.same("pool", "set", account, "blue", "--policy", "sticky")
    for tokens in (
        ("set", account, "red", "--policy", "sticky"),
        ("join", account, "red", number),
        ("join", account, "blue", "+912269947019"),
        ("delete", account, "red"),
    ):
        assert sides.same("pool", *tokens).code == 1
    assert sides.there("pool", "leave", account, number).code == 0
    assert sides.there("pool", "delete", account, "blue").code == 0
