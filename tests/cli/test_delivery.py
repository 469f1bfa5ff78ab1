import sqlite3
from pathlib import Path

import pytest
from tests.cli.conftest import Maskline
from tests.world import World

from maskline.core.delivery import NewEndpoint
from maskline.store.setup import open_store
from maskline.workflows.take_deliveries import publish_events
from maskline.workflows.webhook_endpoints import create_endpoint

HOOK = "https://hooks.example.com/"


@pytest.fixture
def ids(ready: Maskline, tmp_path: Path) -> list[str]:
    """Three dead deliveries of the account Acme, newest first."""
    store = open_store(f"sqlite:///{tmp_path}/var/maskline.db", tmp_path / "var" / "maskline.key")
    world = World(store)
    store.run(create_endpoint, world.account.id, NewEndpoint(url=HOOK), world.now)
    for index in range(3):
        world.create(2 * index + 1, 2 * index + 2)
    store.run(publish_events, world.now)
    store.close()
    with sqlite3.connect(tmp_path / "var" / "maskline.db") as raw:
        raw.execute(
            "UPDATE delivery SET state = 'dead', finished_at = 1, last_status = 503, last_error = 'http-status'"
        )
        return [row[0] for row in raw.execute("SELECT message_id FROM delivery ORDER BY id DESC")]


def test_list_tells_how_deliveries_stand(ready: Maskline, ids: list[str]) -> None:
    """Newest first, by state, account and page."""
    listed = ready("delivery", "list", "--json").json
    assert [it["delivery"] for it in listed] == ids
    assert {(it["state"], it["last_status"], it["event"]) for it in listed} == {
        ("dead", 503, "session.created")
    }
    assert ready("delivery", "list", "--state", "pending", "--json").json == []
    page = ready("delivery", "list", "--account", "Acme", "--limit", "1", "--before", ids[0], "--json").json
    assert [it["delivery"] for it in page] == ids[1:2]
    table = ready("delivery", "list", "--state", "dead").out
    assert all(id_ in table for id_ in ids)
    assert "503" in table


def test_replay_sends_one_again(ready: Maskline, ids: list[str]) -> None:
    """A dead one is pending again; one that is pending is refused."""
    replayed = ready("delivery", "replay", ids[1], "--json").json
    assert (replayed["delivery"], replayed["state"]) == (ids[1], "pending")
    again = ready("delivery", "replay", ids[1])
    assert (again.code, "still being tried" in again.err) == (1, True)


def test_replay_all_dead(ready: Maskline, ids: list[str]) -> None:
    """All of them at once, and none the second time."""
    assert ready("delivery", "replay", "--all-dead", "--account", "Acme", "--json").json == {
        "replayed_count": 3
    }
    assert ready("delivery", "replay", "--all-dead").out == "0 deliveries replayed\n"


def test_nothing_is_replayed_to_a_removed_webhook(ready: Maskline, ids: list[str]) -> None:
    """There is nobody to send it to."""
    [webhook] = ready("webhook", "list", "Acme", "--json").json
    ready("webhook", "remove", "Acme", webhook["webhook"])
    result = ready("delivery", "replay", ids[0])
    assert (result.code, "disabled or removed" in result.err) == (1, True)
    assert ready("delivery", "replay", "--all-dead", "--json").json == {"replayed_count": 0}


@pytest.mark.parametrize(
    ("tokens", "code"),
    [
        (["list", "--state", "lost"], 2),
        (["list", "--limit", "0"], 2),
        (["list", "--before", "nothing"], 1),
        (["list", "--account", "nobody"], 1),
        (["replay"], 2),
        (["replay", "some-id", "--all-dead"], 2),
        (["replay", "no-such-id"], 1),
    ],
)
def test_unusable_values_are_refused(ready: Maskline, tokens: list[str], code: int) -> None:
    """Wrong usage exits 2, what is not there 1."""
    assert ready("delivery", *tokens).code == code
