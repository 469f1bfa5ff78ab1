from tests.cli.remote.conftest import Sides


def test_usage_is_the_same_from_both_sides(owned: Sides) -> None:
    """Numbers, what is taken of them, and who is not there."""
    assert owned.here("trunk", "add", "east", "--peer", "127.0.0.1:5099").code == 0
    added = ("number", "add", "+912240000001", "+912240000002", "--account", "demo", "--trunk", "east")
    assert owned.here(*added).code == 0
    [row] = owned.same("usage", "demo").json
    assert (row["numbers"], row["free_for_busiest"], row["exhausted_at"]) == (2, 2, None)
    assert owned.same("usage", "nobody").code == 1
