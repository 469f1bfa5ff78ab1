"""A million masking sessions spread over ninety days, written in bulk: as a service has them that ran so long.

People, references and pair keys are made here as creation makes them; the rest is derived from them by the same SQL
on both databases, under all constraints and into all indexes, so that the indexes look as if they had grown.
"""

import hashlib
import os
import re
import sqlite3
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from maskline.core.masking import MICROSECONDS
from maskline.core.numbers import E164
from maskline.store.engine import connect, database_of, parse_database_url
from maskline.store.keys import Keys, load_key_file
from maskline.store.statement import Database

SEEDED_COUNT: Final = 1_000_000
SPREAD_DAYS: Final = 90
EXPIRIES_S: Final = (1_800, 7_200, 86_400, 7 * 86_400)
"""How long sessions last, in turn: one in forty-five is live at the end."""
FIRST_COUNT: Final = 100_000
SECOND_COUNT: Final = 300_000
BUSY_EVERY: Final = 100
"""One first party, a call centre, has every hundredth session, each on another number."""
CALLED_EVERY: Final = 5
"""Every fifth session had one call, which is over."""
OUTBOX_DAYS: Final = 30
"""How far back the outbox reaches, see `workflows/deliveries.py`."""
_LIVE_ON_PARTY: Final = "a seeded party has one live session at most: its next comes after the longest expiry"
_CACHE_KB: Final = 2_000_000
_DAY_US: Final = 86_400 * MICROSECONDS

_STAGING: Final = (
    "CREATE TEMPORARY TABLE seed (serial BIGINT, id VARCHAR(36), first_ref VARCHAR(32), second_ref VARCHAR(32), "
    "pair_key VARCHAR(64), created_at BIGINT, end_at BIGINT, number_index BIGINT)"
)
_COLUMNS: Final = 8
_PARTIES: Final = "INSERT INTO party (account_id, ref, sealed, created_at) VALUES (?, ?, ?, ?)"
_DERIVED: Final = (
    # A stock of numbers, counted from 0.
    """CREATE TEMPORARY TABLE seed_number AS SELECT id, row_number() OVER (ORDER BY id) - 1 AS number_index
    FROM virtual_number""",
    """INSERT INTO masking_session (id, account_id, virtual_number_id, kind, first_ref, second_ref, pair_key,
    created_at, modified_at, start_at, end_at, ended_at, end_cause, released_at, cooloff_s, call_time_limit_s,
    ring_timeout_s, is_recorded, record_format, recording_callback_url, recording_callback_method, callback_url,
    callback_method, first_play_url, second_play_url, unknown_caller_url, calls_first, is_geomatched, has_pin,
    pin_is_generated, pin_length, pin_prompt_url, pin_retry_count, pin_retry_wait_s, incorrect_pin_url,
    is_pin_forced, last_interaction_at, total_leg_count, total_duration_s, total_billed_s, event_count)
    SELECT seed.id, :account_id, seed_number.id, 'pair', first_ref, second_ref, pair_key,
    created_at, created_at, created_at, end_at,
    CASE WHEN end_at <= :now THEN end_at END, CASE WHEN end_at <= :now THEN 'expired' END,
    CASE WHEN end_at <= :now THEN end_at END, 0, 14400, 45, false, 'mp3', '', 'POST', '', 'POST', '', '', '',
    false, true, false, false, 4, '', 1, 10, '', false,
    CASE WHEN serial % :called = 0 THEN created_at + 90000000 END,
    CASE WHEN serial % :called = 0 THEN 2 ELSE 0 END, CASE WHEN serial % :called = 0 THEN 120 ELSE 0 END,
    CASE WHEN serial % :called = 0 THEN 120 ELSE 0 END,
    1 + CASE WHEN end_at <= :now THEN 1 ELSE 0 END + CASE WHEN serial % :called = 0 THEN 1 ELSE 0 END
    FROM seed JOIN seed_number ON seed_number.number_index = seed.number_index ORDER BY serial""",
    """INSERT INTO binding (virtual_number_id, party_ref, session_id, role, can_call, start_at, end_at, free_at,
    released_at, answers_strangers)
    SELECT seed_number.id, CASE WHEN role = 'first' THEN first_ref ELSE second_ref END, seed.id, role, true,
    created_at, end_at, end_at, CASE WHEN end_at <= :now THEN end_at END, false
    FROM seed JOIN seed_number ON seed_number.number_index = seed.number_index
    CROSS JOIN (SELECT 'first' AS role UNION ALL SELECT 'second') AS roles ORDER BY serial""",
    """INSERT INTO call_record (call_id, account_id, session_id, virtual_number_id, caller_ref, callee_ref, role,
    is_callee_dialled, started_at, ringing_at, answered_at, callee_answered_at, bridged_at, ended_at, result,
    reason, q850)
    SELECT 'seed-' || serial, :account_id, seed.id, seed_number.id, first_ref, second_ref, 'first', true,
    created_at + 20000000, created_at + 22000000, created_at + 30000000, created_at + 30000000,
    created_at + 30000000, created_at + 90000000, 'success', 'caller-hung-up', 16
    FROM seed JOIN seed_number ON seed_number.number_index = seed.number_index
    WHERE serial % :called = 0 ORDER BY serial""",
    """INSERT INTO interaction (session_id, kind, call_id, caller_role, started_at, ended_at, leg_count,
    caller_leg_s, callee_leg_s)
    SELECT seed.id, 'call', 'seed-' || serial, 'first', created_at + 20000000, created_at + 90000000, 2, 60, 60
    FROM seed WHERE serial % :called = 0 ORDER BY serial""",
    """INSERT INTO outbox (account_id, session_id, kind, sequence, occurred_at, facts, published_at)
    SELECT :account_id, id, 'session.created', 1, created_at,
    '{"first":"' || first_ref || '","second":"' || second_ref || '","ends_at":' || end_at || '}', created_at
    FROM seed WHERE created_at >= :outbox_from ORDER BY serial""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """What to write for which account; `now` in µs UTC is the moment after the last session's creation."""

    account_id: int
    number_count: int
    now: int
    session_count: int = SEEDED_COUNT

    @property
    def step_us(self) -> int:
        """Time between two creations."""
        return SPREAD_DAYS * _DAY_US // self.session_count


def first_party(serial: int) -> E164:
    """The first party of a seeded session."""
    return E164(f"+9193{0 if serial % BUSY_EVERY == 0 else 1 + serial % FIRST_COUNT:08d}")


def second_party(serial: int) -> E164:
    """The second party of a seeded session."""
    return E164(f"+9194{serial % SECOND_COUNT:08d}")


def seed_sessions(url_text: str, key_path: Path, seed: Seed) -> float:
    """Write the sessions into a database that has none; return how many seconds that took."""
    url, keys = parse_database_url(url_text), load_key_file(key_path)
    started = time.perf_counter()
    raw = connect(url)
    try:
        if database_of(url) is Database.SQLITE:
            _seed_sqlite(raw, keys, seed)
        else:
            _seed_postgresql(raw, keys, seed)
    finally:
        raw.close()
    return time.perf_counter() - started


def _seed_sqlite(raw: sqlite3.Connection, keys: Keys, seed: Seed) -> None:
    # A broken template is made anew, so it need not survive anything meanwhile.
    for pragma in (f"cache_size=-{_CACHE_KB}", "synchronous=OFF", "foreign_keys=OFF"):
        raw.execute(f"PRAGMA {pragma}")
    raw.execute("BEGIN IMMEDIATE")
    raw.execute(_STAGING)
    raw.executemany(f"INSERT INTO seed VALUES ({', '.join('?' * _COLUMNS)})", _sessions(keys, seed))
    raw.executemany(_PARTIES, _parties(keys, seed))
    for text in _DERIVED:
        raw.execute(text, _params(seed))
    raw.execute("DROP TABLE seed")
    raw.execute("DROP TABLE seed_number")
    raw.execute("COMMIT")
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _seed_postgresql(raw: "psycopg.Connection[Any]", keys: Keys, seed: Seed) -> None:
    with raw.transaction():
        raw.execute(
            "SET LOCAL session_replication_role = replica"
        )  # what refers to what is checked by the test
        raw.execute(_STAGING)
        with raw.cursor() as cursor:
            with cursor.copy("COPY seed FROM STDIN") as copy:
                for row in _sessions(keys, seed):
                    copy.write_row(row)
            with cursor.copy("COPY party (account_id, ref, sealed, created_at) FROM STDIN") as copy:
                for party in _parties(keys, seed):
                    copy.write_row(party)
        raw.execute("ANALYZE seed")
        for text in _DERIVED:
            # Colons and percent signs as the driver wants them.
            named = re.sub(r":(\w+)", r"%(\1)s", text.replace("%", "%%"))
            raw.execute(named.encode(), _params(seed))
        raw.execute("DROP TABLE seed, seed_number")


def _params(seed: Seed) -> dict[str, int]:
    return {
        "account_id": seed.account_id,
        "now": seed.now,
        "called": CALLED_EVERY,
        "outbox_from": seed.now - OUTBOX_DAYS * _DAY_US,
    }


def _sessions(keys: Keys, seed: Seed) -> Iterator[tuple[object, ...]]:
    assert seed.number_count * BUSY_EVERY * seed.step_us > EXPIRIES_S[-1] * MICROSECONDS, _LIVE_ON_PARTY
    first_refs = [keys.ref(first_party(serial)) for serial in range(min(FIRST_COUNT, seed.session_count))]
    second_refs = [keys.ref(second_party(serial)) for serial in range(min(SECOND_COUNT, seed.session_count))]
    for serial in range(seed.session_count):
        first, second = first_refs[serial % FIRST_COUNT], second_refs[serial % SECOND_COUNT]
        created_at = seed.now - (seed.session_count - serial) * seed.step_us
        is_busy = serial % BUSY_EVERY == 0
        yield (
            serial,
            str(uuid.UUID(bytes=os.urandom(16), version=4)),
            first,
            second,
            hashlib.sha256(f"0|{first}|{second}".encode()).hexdigest()[:32],
            created_at,
            created_at + EXPIRIES_S[serial // BUSY_EVERY % len(EXPIRIES_S)] * MICROSECONDS,
            (serial // BUSY_EVERY if is_busy else serial) % seed.number_count,
        )


def _parties(keys: Keys, seed: Seed) -> Iterator[tuple[object, ...]]:
    created_at = seed.now - SPREAD_DAYS * _DAY_US
    seen = set()
    for make, count in ((first_party, FIRST_COUNT), (second_party, SECOND_COUNT)):
        for serial in range(min(count, seed.session_count)):
            number = make(serial)
            ref = keys.ref(number)
            if ref not in seen:
                seen.add(ref)
                yield seed.account_id, ref, keys.seal_party(seed.account_id, ref, number), created_at
