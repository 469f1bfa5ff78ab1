from tests.cli.conftest import Maskline

NUMBERS = ("+912269947011", "+912269947012")


def _prepare(ready: Maskline) -> None:
    assert ready("account", "create", "demo").code == 0
    assert ready("trunk", "add", "carrier", "--peer", "127.0.0.1:5060").code == 0
    assert ready("number", "add", *NUMBERS, "--account", "demo", "--trunk", "carrier").code == 0


def test_a_pool_from_its_making_to_its_end(ready: Maskline) -> None:
    """Made, changed, filled, emptied and deleted."""
    _prepare(ready)
    made = ready("pool", "create", "demo", "Pune 1", "--policy", "sticky", "--json").json
    assert (made["name"], made["policy"], made["numbers"]) == ("Pune 1", "sticky", 0)
    assert "already" in ready("pool", "create", "demo", "Pune 1").err
    assert ready("pool", "set", "demo", "Pune 1", "--policy", "spread").out == "pool Pune 1 is spread\n"
    assert ready("pool", "join", "demo", "Pune 1", *NUMBERS).out == "2 numbers in pool Pune 1\n"
    [listed] = ready("pool", "list", "demo", "--json").json
    assert (listed["numbers"], listed["policy"]) == (2, "spread")
    assert "move them" in ready("pool", "delete", "demo", "Pune 1").err
    assert ready("pool", "leave", "demo", *NUMBERS).out == "2 numbers in no pool\n"
    assert ready("pool", "delete", "demo", "Pune 1").out == "pool Pune 1 deleted\n"
    assert ready("pool", "list", "demo").out == "There are no pools.\n"


def test_what_is_refused(ready: Maskline) -> None:
    """What is not there, what names no pool; numbers move together or not at all."""
    _prepare(ready)
    assert ready("pool", "create", "demo", "a/b").code == 2
    assert ready("pool", "create", "nobody", "a").code == 1
    for tokens in (
        ("set", "demo", "a", "--policy", "spread"),
        ("delete", "demo", "a"),
        ("join", "demo", "a", NUMBERS[0]),
    ):
        assert "there is no pool 'a'" in ready("pool", *tokens).err
    ready("pool", "create", "demo", "a")
    assert "nothing was moved" in ready("pool", "join", "demo", "a", NUMBERS[0], "+912269947019").err
    assert ready("pool", "list", "demo", "--json").json[0]["numbers"] == 0
