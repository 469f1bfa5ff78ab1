import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.world import SECOND, World, peek

from maskline.core.masking import SessionCreated
from maskline.store.engine import Store, StoreConflictError, Tx
from maskline.store.setup import open_store
from maskline.store.statement import Database
from maskline.workflows.idempotency import (
    KEPT_S,
    AnotherRequest,
    Answered,
    IdempotencyClaim,
    StillRunning,
    forget_answers,
    load_kept_answer,
    run_idempotently,
)

CLAIM: Final = IdempotencyClaim(owner="operator", key="k-1", request=b"POST /things")
KILL_COUNT: Final = 4
WRITER: Final = Path(__file__).parent.parent / "idempotent_writer.py"
TIMEOUT_S: Final = 60


def _made(store: Store, claim: IdempotencyClaim, answer: str, now: int) -> object:
    return store.run(run_idempotently, claim, lambda _tx: answer, now)


def test_the_first_answer_is_given_again(world: World) -> None:
    """The work is not done a second time, whatever it would answer now."""
    assert _made(world.store, CLAIM, "one", world.now) == Answered(answer="one", is_replayed=False)
    later = world.now + KEPT_S * SECOND - 1
    assert _made(world.store, CLAIM, "two", later) == Answered(answer="one", is_replayed=True)


def test_a_key_means_one_request(world: World) -> None:
    """Another body under the same key is refused, and the first answer stays."""
    _made(world.store, CLAIM, "one", world.now)
    other = replace(CLAIM, request=b"POST /others")
    assert _made(world.store, other, "two", world.now) == AnotherRequest()
    assert _made(world.store, CLAIM, "two", world.now) == Answered(answer="one", is_replayed=True)


def test_keys_are_of_whoever_is_acted_for(world: World) -> None:
    """One key of one owner for two accounts is two keys."""
    for auth_id in ("MA" + "A" * 18, "MA" + "B" * 18):
        claim = replace(CLAIM, acting_for=auth_id)
        assert _made(world.store, claim, auth_id, world.now) == Answered(answer=auth_id, is_replayed=False)
        assert _made(world.store, claim, "two", world.now) == Answered(answer=auth_id, is_replayed=True)


def test_a_kept_answer_is_found_before_the_work(world: World) -> None:
    """As long as it is kept, for the same request only; to look changes nothing."""
    assert world.store.read(load_kept_answer, CLAIM, world.now) is None
    _made(world.store, CLAIM, "one", world.now)
    last = world.now + KEPT_S * SECOND - 1
    assert world.store.read(load_kept_answer, CLAIM, last) == Answered(answer="one", is_replayed=True)
    assert world.store.read(load_kept_answer, CLAIM, last + 1) is None
    other = replace(CLAIM, request=b"POST /others")
    assert world.store.read(load_kept_answer, other, last) == AnotherRequest()
    assert world.store.read(load_kept_answer, replace(CLAIM, owner="x"), last) is None
    assert _made(world.store, CLAIM, "two", last) == Answered(answer="one", is_replayed=True)


def test_owners_do_not_share_keys(world: World) -> None:
    """What somebody else sent under the same key is nobody else's."""
    _made(world.store, CLAIM, "one", world.now)
    for owner in ("MA" + "0" * 18, "SA" + "0" * 18):
        other = replace(CLAIM, owner=owner)
        assert _made(world.store, other, owner, world.now) == Answered(answer=owner, is_replayed=False)


def test_after_a_day_a_key_is_new(world: World) -> None:
    """At the very instant, with nobody having tidied up."""
    _made(world.store, CLAIM, "one", world.now)
    later = world.now + KEPT_S * SECOND
    assert _made(world.store, CLAIM, "two", later) == Answered(answer="two", is_replayed=False)
    assert _made(world.store, CLAIM, "three", later) == Answered(answer="two", is_replayed=True)


def test_work_that_fails_keeps_nothing(world: World) -> None:
    """A bug is no answer: the next try is done."""

    def fail(_tx: Tx) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        world.store.run(run_idempotently, CLAIM, fail, world.now)
    assert _made(world.store, CLAIM, "one", world.now) == Answered(answer="one", is_replayed=False)


def test_old_answers_are_forgotten(world: World) -> None:
    """Those kept long enough, and no others."""
    _made(world.store, CLAIM, "one", world.now)
    _made(world.store, replace(CLAIM, key="k-2"), "two", world.now + SECOND)
    end = world.now + KEPT_S * SECOND
    assert world.store.run(forget_answers, end - 1) == 0
    assert world.store.run(forget_answers, end) == 1
    assert peek(world.store, "SELECT count(*) FROM idempotency_key") == [(1,)]


def test_nothing_of_it_is_legible(world: World) -> None:
    """Keys, requests and answers may hold people's numbers and secrets."""
    claim = IdempotencyClaim(owner="operator", key="key-912025550000", request=b"body-912025550000")
    _made(world.store, claim, "answer-912025550000", world.now)
    [row] = peek(world.store, "SELECT * FROM idempotency_key")
    text = b"|".join(it if isinstance(it, bytes) else str(it).encode() for it in map(_plain, row))
    assert b"912025550000" not in text


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


@given(st.text(st.characters(codec="utf-8"), max_size=300), st.binary(max_size=300))
def test_a_claim_prints_nothing(key: str, request: bytes) -> None:
    """Whatever the client wrote."""
    assert repr(IdempotencyClaim(owner="o", key=key, request=request)) == "IdempotencyClaim(owner='o')"


def test_one_of_many_does_it(world: World) -> None:
    """64 threads with one key make one session; the others hear its answer, or that it is being made."""

    def work(tx: Tx) -> str:
        made = world.ask_in(tx)
        assert isinstance(made, SessionCreated)
        return made.session.id

    outcomes: list[object] = []
    barrier = threading.Barrier(64)

    def run() -> None:
        barrier.wait(TIMEOUT_S)
        try:
            outcomes.append(world.store.run(run_idempotently, CLAIM, work, world.now))
        except StoreConflictError as error:  # told to retry
            outcomes.append(error)

    threads = [threading.Thread(target=run) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    [(count, id_)] = peek(world.store, "SELECT count(*), min(id) FROM masking_session")
    assert count == 1
    told = [it for it in outcomes if isinstance(it, Answered)]
    assert {it.answer for it in told} == {id_}
    assert Counter(it.is_replayed for it in told)[False] == 1
    others = [it for it in outcomes if not isinstance(it, Answered)]
    assert len(outcomes) == 64
    assert all(isinstance(it, StillRunning | StoreConflictError) for it in others)


@pytest.mark.postgresql
def test_who_comes_meanwhile_does_not_wait(postgresql_url: str, key_path: Path) -> None:
    """While another process works under the key, the answer is that it does."""
    store = open_store(postgresql_url, key_path)
    world = World(store)
    assert store.database is Database.POSTGRESQL
    seen: list[object] = []

    def work(_tx: Tx) -> str:
        seen.append(store.run(run_idempotently, CLAIM, lambda _tx: "two", world.now))
        return "one"

    assert store.run(run_idempotently, CLAIM, work, world.now) == Answered(answer="one", is_replayed=False)
    assert seen == [StillRunning()]
    store.close()


def test_work_and_answer_are_both_there_or_neither(database_url: str, key_path: Path) -> None:
    """A process killed again and again leaves no work without its answer, and no answer without its work."""
    store = open_store(database_url, key_path)
    world = World(store)
    for turn in range(KILL_COUNT):
        command = [sys.executable, str(WRITER), database_url, str(key_path), str(world.account.id)]
        with subprocess.Popen(
            [*command, str(turn * 100_000)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(WRITER.parent.parent)},
            text=True,
        ) as process:
            assert process.stdout is not None
            told = [process.stdout.readline() for _ in range(15 + turn * 7)]
            threading.Event().wait(random.Random(turn).random() / 50)  # somewhere in the middle of a commit
            process.send_signal(signal.SIGKILL)
            told += process.stdout.readlines()
        names = {name for (name,) in peek(store, "SELECT name FROM pool")}
        acknowledged = {it.strip() for it in told if it.endswith("\n")}
        assert len(acknowledged) >= 15
        assert acknowledged <= names
        for name in names:
            claim = IdempotencyClaim(owner="operator", key=name.replace("pool", "key"), request=b"")
            assert _made(store, claim, "again", 2) == Answered(answer=name, is_replayed=True)
        assert peek(store, "SELECT count(*) FROM idempotency_key") == [(len(names),)]
    store.close()
