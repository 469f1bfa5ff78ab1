from tests.cli.conftest import Maskline


def test_pools_are_listed_however_many(ready: Maskline) -> None:
    """Newest first; a pool that is not there cannot be deleted."""
    assert ready("account", "create", "demo").code == 0
    assert ready("pool", "list", "demo").out == "There are no pools.\n"
    for name in ("north", "south"):
        assert ready("pool", "create", "demo", name).code == 0
    assert [it["name"] for it in ready("pool", "list", "demo", "--json").json] == ["south", "north"]
    assert ready("pool", "delete", "demo", "north", "--json").json == {"pool": "north", "is_deleted": True}
    assert ready("pool", "delete", "demo", "north").code == 1
