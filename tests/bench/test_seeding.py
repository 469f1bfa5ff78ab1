from pathlib import Path

import pytest
from bench.seeding import (
    CALLED_EVERY,
    EXPIRIES_S,
    SPREAD_DAYS,
    Seed,
    first_party,
    second_party,
    seed_sessions,
)
from sqlalchemy import func, select
from tests.world import World, peek, virtual

from maskline.core.masking import MICROSECONDS, NewMaskingSession, SessionCreated, SessionFilter
from maskline.store import schema
from maskline.store.engine import Tx
from maskline.store.statement import Statement
from maskline.workflows.create_masking_session import create_masking_session
from maskline.workflows.list_masking_sessions import list_masking_sessions

COUNT, NUMBER_COUNT = 400, 10  # the last hundred sessions get the longest expiry
STEP_US = SPREAD_DAYS * 86_400 * MICROSECONDS // COUNT


@pytest.fixture
def seeded(world: World, key_path: Path) -> World:
    """A database with some hundreds of sessions written in bulk."""
    world.add_numbers(*(virtual(index) for index in range(10, 10 + NUMBER_COUNT)))
    url = world.store.url.render_as_string(hide_password=False)
    seed = Seed(account_id=world.account.id, number_count=NUMBER_COUNT, now=world.now, session_count=COUNT)
    seed_sessions(url, key_path, seed)
    return world


def test_every_reference_is_to_something(seeded: World) -> None:
    """What was not checked while it was written is sound: every foreign key of every table."""

    def dangling(tx: Tx) -> dict[str, int]:
        found = {}
        for table in schema.metadata.sorted_tables:
            for key in table.foreign_keys:
                target = key.column.table.alias("target")
                missing = (
                    select(func.count())
                    .select_from(table.outerjoin(target, key.parent == target.c[key.column.name]))
                    .where(key.parent.is_not(None), target.c[key.column.name].is_(None))
                )
                [(count,)] = tx.rows(Statement(missing))
                found[f"{table.name}.{key.parent.name}"] = count
        return found

    counts = seeded.store.read(dangling)
    assert counts["binding.session_id"] == 0
    assert set(counts.values()) == {0}


def test_sessions_are_as_creation_makes_them(seeded: World) -> None:
    """They are listed with their parties, ends and calls, as far apart as they shall be."""
    wanted = SessionFilter(limit=20)
    page = seeded.store.read(list_masking_sessions, seeded.account, wanted, seeded.now)
    assert page.total_count == COUNT
    for back, session in enumerate(page.sessions, 1):
        serial = COUNT - back
        assert (session.first, session.second) == (first_party(serial), second_party(serial))
        assert session.created_at == seeded.now - back * STEP_US
        assert session.duration_s == EXPIRIES_S[-1]
        assert len(session.interactions) == (serial % CALLED_EVERY == 0)
        assert session.total_duration_s == sum(it.duration_s for it in session.interactions)


def test_the_past_is_over(seeded: World) -> None:
    """What has ended is marked and has released its places; what has not holds them."""
    live_count = EXPIRIES_S[-1] * MICROSECONDS // STEP_US
    for table, share in (("masking_session", 1), ("binding", 2)):
        held = peek(
            seeded.store, f"SELECT count(*) FROM {table} WHERE released_at IS NULL AND end_at > ?", seeded.now
        )
        open_ = peek(
            seeded.store, f"SELECT count(*) FROM {table} WHERE released_at IS NULL OR end_at > ?", seeded.now
        )
        assert held == open_ == [(live_count * share,)]


def test_a_live_pair_is_repeated(seeded: World) -> None:
    """Creating the newest pair again finds the session written in bulk, by the pair's key."""
    new = NewMaskingSession(first=first_party(COUNT - 1), second=second_party(COUNT - 1))
    again = seeded.store.run(create_masking_session, seeded.account, new, seeded.now)
    assert isinstance(again, SessionCreated)
    assert not again.is_new
    assert again.session.created_at == seeded.now - STEP_US
