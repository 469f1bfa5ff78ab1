import pytest
from tests.cli.conftest import Maskline

from maskline.cli.context import Context
from maskline.core.inventory import Account
from maskline.core.masking import NewMaskingSession, RecordFormat, SessionCreated
from maskline.core.numbers import E164
from maskline.core.recording import ConvertedRecording, NewRecording
from maskline.store import recordings as rows
from maskline.store.engine import Tx
from maskline.testing.captures import PCMU, note
from maskline.workflows import recordings as work
from maskline.workflows.accounts import load_account
from maskline.workflows.create_masking_session import create_masking_session

ID = "0123456789abcdef0123456789abcdef"
UUID = "01234567-89ab-cdef-0123-456789abcdef"
SECOND = 1_000_000


@pytest.fixture
def recorded(ready: Maskline) -> Maskline:
    """An account with one recording."""
    assert ready("account", "create", "demo").code == 0
    assert ready("account", "create", "other").code == 0
    assert ready("trunk", "add", "carrier", "--peer", "127.0.0.1:5061").code == 0
    assert ready("number", "add", "+912269947011", "--account", "demo", "--trunk", "carrier").code == 0
    context = Context()
    context.run(_record, context.clock.now())
    return ready


def _record(tx: Tx, now: int) -> None:
    account = load_account(tx, name="demo")
    assert isinstance(account, Account)
    new = NewMaskingSession(first=E164("+912025550000"), second=E164("+912025551111"))
    created = create_masking_session(tx, account, new, now)
    assert isinstance(created, SessionCreated)
    recording = NewRecording(
        id=ID,
        account_id=account.id,
        session_id=created.session.id,
        call_id="c1",
        format=RecordFormat.MP3,
        legs=note(0, PCMU).legs,
        started_at=now - 10 * SECOND,
    )
    assert work.start_recording(tx, recording, now)
    assert rows.mark_captured(tx, ID, now)
    converted = ConvertedRecording(recording_id=ID, ended_at=now, duration_ms=10_000, size_bytes=7)
    assert work.complete_recording(tx, converted, now)


def test_list(recorded: Maskline) -> None:
    """An account's own, as a table and as JSON."""
    [row] = recorded("recording", "list", "demo", "--json").json
    assert (row["recording"], row["format"], row["duration_ms"], row["expires_at"]) == (
        UUID,
        "mp3",
        10_000,
        None,
    )
    assert UUID in recorded("recording", "list", "demo").out
    assert recorded("recording", "list", "other").out == "There are no recordings.\n"
    assert recorded("recording", "list", "demo", "--offset", "1", "--json").json == []
    assert recorded("recording", "list", "nobody").code == 1


@pytest.mark.parametrize("option", [("--limit", "0"), ("--limit", "1001"), ("--offset", "-1")])
def test_list_is_bounded(recorded: Maskline, option: tuple[str, str]) -> None:
    """Pages have a size."""
    assert recorded("recording", "list", "demo", *option).code == 2


def test_link(recorded: Maskline) -> None:
    """A URL with a time and a signature, another one for each time asked for."""
    answer = recorded("recording", "link", "demo", UUID, "--hours", "2", "--json").json
    auth_id = recorded("account", "list", "--json").json[0]["auth_id"]
    assert answer["url"].startswith(
        f"http://127.0.0.1:8080/v1/Account/{auth_id}/Recording/{UUID}.mp3?expires="
    )
    assert "&signature=" in recorded("recording", "link", "demo", ID).out
    for tokens in (("other", UUID), ("demo", "f" * 32)):
        assert recorded("recording", "link", *tokens).code == 1
    for wrong in (("demo", "x"), ("demo", ID, "--hours", "0"), ("demo", ID, "--hours", "721")):
        assert recorded("recording", "link", *wrong).code == 2


def test_delete(recorded: Maskline) -> None:
    """Once, by its own account."""
    assert recorded("recording", "delete", "other", UUID).code == 1
    assert recorded("recording", "delete", "demo", "x").code == 2
    assert recorded("recording", "delete", "demo", UUID).code == 0
    assert recorded("recording", "delete", "demo", UUID).code == 1
    assert recorded("recording", "list", "demo", "--json").json == []


def test_retention(recorded: Maskline) -> None:
    """Shown, set, and set back; recordings that are there follow."""
    assert recorded("recording", "retention", "demo", "--json").json == {"account": "demo", "days": None}
    assert "kept for 30 days" in recorded("recording", "retention", "demo", "--days", "30").out
    assert recorded("recording", "list", "demo", "--json").json[0]["expires_at"] is not None
    assert recorded("recording", "retention", "demo", "--json").json["days"] == 30
    assert "until they are deleted" in recorded("recording", "retention", "demo", "--forever").out
    assert recorded("recording", "list", "demo", "--json").json[0]["expires_at"] is None
    for options in (("--days", "0"), ("--days", "40000"), ("--days", "3", "--forever")):
        assert recorded("recording", "retention", "demo", *options).code == 2
