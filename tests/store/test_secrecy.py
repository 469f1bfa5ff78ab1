"""No real number is in any byte of the database, whatever was done with it."""

import base64
import hashlib
from pathlib import Path

import pytest
from tests.world import World, peek, person, virtual

from maskline.core.masking import PinSettings, Role, SessionFilter
from maskline.core.numbers import DID
from maskline.core.secret import Secret
from maskline.store.engine import Store
from maskline.store.setup import open_store
from maskline.workflows.end_masking_session import end_masking_session
from maskline.workflows.finish_call import finish_call
from maskline.workflows.list_masking_sessions import list_masking_sessions
from maskline.workflows.record_refused_call import record_refused_call
from maskline.workflows.route_call import route_call
from maskline.workflows.save_dialogs import save_dialogs

PEOPLE = (11111111, 22222222, 33333333, 44444444)
PIN = "739184"


def _live_through_everything(world: World) -> None:
    """Create, repeat, call, refuse, list and end, with people whose digits cannot come by chance."""
    first, second, stranger, other = PEOPLE
    session = world.create(first, second, pin=PinSettings(first=Secret(PIN), second=Secret("0000"), length=6))
    world.ask(first, second)
    world.create(second, other)
    world.store.read(route_call, session.virtual_number, session.first, world.now)
    world.claim(session)
    world.store.run(save_dialogs, "c1", f"sip:{person(first).reveal()}@a", person(second).reveal(), world.now)
    refused = world.refused("c2", caller=person(stranger), number=virtual(0), role=Role.ANYONE)
    world.store.run(record_refused_call, refused, world.now)
    world.store.run(finish_call, world.record(session), world.now)
    world.claim(session, "c3")
    world.store.run(save_dialogs, "c3", person(first).reveal(), person(second).reveal(), world.now)
    world.store.read(list_masking_sessions, world.account, SessionFilter(first=person(first)), world.now)
    world.store.run(end_masking_session, world.account, session.id, world.now)


def _encodings(text: str) -> list[bytes]:
    """Ways in which digits may hide: plain, wide, packed, as an integer, in base64, or under a plain hash."""
    forms = [text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be"), text[::-1].encode()]
    forms += [
        int(text).to_bytes(8),
        int(text).to_bytes(8, "little"),
        bytes.fromhex(text.rjust(len(text) + len(text) % 2, "0")),
    ]
    for whole in (text, f"+{text}"):
        forms += [base64.b64encode(whole.encode()).rstrip(b"=")[:-1], whole.encode().hex().encode()]
        for name in ("md5", "sha1", "sha256", "sha512"):
            digest = hashlib.new(name, whole.encode()).digest()
            forms += [digest[:16], digest.hex()[:32].encode()]
    return forms


def _searched(numbers: tuple[int, ...]) -> list[bytes]:
    found = [form for index in numbers for form in _encodings(person(index).reveal()[1:])]
    return found + [str(index).encode() for index in numbers]  # the last eight digits alone


def test_no_number_in_the_files_of_sqlite(sqlite_url: str, key_path: Path) -> None:
    """Neither the file nor its log nor its index holds a party's digits in any form, while open and after."""
    store = open_store(sqlite_url, key_path)
    _live_through_everything(World(store))
    directory = Path(sqlite_url.removeprefix("sqlite:///")).parent
    for is_open in (True, False):
        content = b"".join(
            path.read_bytes() for path in directory.iterdir() if path.name.startswith("maskline.db")
        )
        assert DID(virtual(0)).encode() in content  # the search can find something
        assert [form for form in _searched(PEOPLE) if form in content] == []
        assert PIN.encode() not in content
        if is_open:
            store.close()


@pytest.mark.postgresql
def test_no_number_in_the_tables_of_postgresql(postgresql_url: str, key_path: Path) -> None:
    """No column of any table holds a party's digits in any form, nor do the planner's statistics."""
    store = open_store(postgresql_url, key_path)
    _live_through_everything(World(store))
    store.run(lambda tx: tx.command("ANALYZE"))
    content = b""
    for (table,) in peek(store, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        for row in peek(store, f"SELECT * FROM {table}"):
            content += b"|".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
    content += str(peek(store, "SELECT * FROM pg_stats WHERE schemaname = 'public'")).encode()
    assert DID(virtual(0)).encode() in content
    assert [form for form in _searched(PEOPLE) if form in content] == []
    store.close()


def test_sealed_numbers_are_there_once(store: Store) -> None:
    """However many sessions and calls a person has, one row of the account holds the number."""
    _live_through_everything(World(store))
    assert peek(store, "SELECT count(*) FROM party") == [(4,)]
    assert len({bytes(sealed) for (sealed,) in peek(store, "SELECT sealed FROM party")}) == 4
