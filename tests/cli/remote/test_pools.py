from tests.cli.remote.conftest import Sides

NUMBER = "+912240000001"


def test_pools_are_made_filled_emptied_and_deleted(owned: Sides) -> None:
    """The same from both sides, in words and refusals."""
    assert owned.here("trunk", "add", "east", "--peer", "127.0.0.1:5099").code == 0
    assert owned.here("number", "add", NUMBER, "--account", "demo", "--trunk", "east").code == 0
    assert owned.there("pool", "create", "demo", "north", "--policy", "spread").out == "pool north created\n"
    assert owned.here("pool", "create", "demo", "south").code == 0
    assert owned.same("pool", "create", "demo", "north").code == 1
    assert owned.there("pool", "move", "demo", NUMBER, "north").out == f"{NUMBER} is in north\n"
    listed = owned.same("pool", "list", "demo").json
    assert [(it["name"], it["number_count"]) for it in listed] == [("south", 0), ("north", 1)]
    assert owned.same("pool", "delete", "demo", "north").code == 1
    assert owned.same("pool", "move", "demo", NUMBER, "west").code == 1
    assert owned.same("pool", "move", "demo", "+912240000009", "north").code == 1
    assert owned.there("pool", "move", "demo", NUMBER).out == f"{NUMBER} is in no pool\n"
    assert owned.there("pool", "delete", "demo", "north").code == 0
    assert owned.same("pool", "delete", "demo", "north").code == 1
    assert owned.same("pool", "create", "demo", "-no").code == 2
