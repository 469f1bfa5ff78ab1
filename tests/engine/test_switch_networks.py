"""The whole switch on bad networks, and what crosses between legs."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskline.core.masking import NewMaskingSession
from maskline.core.numbers import E164
from maskline.sip import events as sip
from maskline.testing.network import Impairment
from tests.engine.virtual_world import (
    ASHA,
    BILAL,
    LONG_S,
    Person,
    World,
    assert_nothing_is_left,
    make_store,
    never_answer,
    prepare,
    reasons,
)

S = 1_000_000


# --- what crosses ---------------------------------------------------------------------------------------------

STRANGE = Person(
    number=E164("+14155550123"), name="Zoltan Q. Xylander", media_host="198.18.5.77", port=ASHA.port
)


def test_bytes_to_the_callee_do_not_depend_on_the_caller(tmp_path: Path) -> None:
    """Two runs that differ only in who A is send B the same bytes, to the last (I5)."""
    transcripts = []
    for index, person in enumerate((ASHA, STRANGE)):
        directory = tmp_path / str(index)
        directory.mkdir()
        store = make_store(directory)
        world = World(
            store,
            prepare(store),
            seed=7,
            asha=person,
            session=NewMaskingSession(first=person.number, second=BILAL.number, is_geomatched=False),
        )
        leg = world.asha.dial()
        world.run(2.0)
        world.asha.agent.send_offer(leg, world.asha.sdp("sendonly"), world.network.now)
        world.run(2.0)
        world.asha.agent.hang_up(leg, world.network.now)
        world.run(LONG_S)
        assert len(world.asha.seen(sip.Answered)) == 1
        transcripts.append(world.sent_to(world.bilal))
        store.close()
    assert transcripts[0] == transcripts[1]
    assert len(transcripts[0]) > 1_000


def test_bytes_to_the_caller_do_not_depend_on_the_callee(tmp_path: Path) -> None:
    """The same for what A is sent about B."""
    transcripts = []
    for index, person in enumerate((BILAL, replace(STRANGE, port=BILAL.port))):
        directory = tmp_path / str(index)
        directory.mkdir()
        store = make_store(directory)
        world = World(
            store,
            prepare(store),
            seed=7,
            bilal=person,
            session=NewMaskingSession(first=ASHA.number, second=person.number),
        )
        leg = world.asha.dial()
        world.run(2.0)
        world.bilal.agent.send_offer(world.bilal.legs[0], world.bilal.sdp("sendonly"), world.network.now)
        world.run(2.0)
        world.bilal.agent.hang_up(world.bilal.legs[0], world.network.now)
        world.run(LONG_S)
        assert leg in world.asha.released
        transcripts.append(world.sent_to(world.asha))
        store.close()
    assert transcripts[0] == transcripts[1]
    assert len(transcripts[0]) > 1_000


# --- bad networks ---------------------------------------------------------------------------------------------

CALLEES = {
    "answers": lambda phone, leg: phone.answer_after(leg, 1.0),
    "answers at once": lambda phone, leg: phone.agent.answer(leg, phone.sdp(), phone.network.now),
    "busy": lambda phone, leg: phone.agent.refuse(leg, 486, phone.network.now),
    "rings": never_answer,
    "dead": lambda phone, leg: phone.agent.drop(leg, phone.network.now),
}


@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.1, 0.3]),
    duplication=st.sampled_from([0.0, 0.3]),
    delay_s=st.sampled_from([0.01, 0.3, 2.0]),
    callee=st.sampled_from(sorted(CALLEES)),
    hang_up_at_s=st.floats(0.0, 60.0),
    is_callee_first=st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bad_networks_end_every_call_once(  # noqa: PLR0917  # one argument per dial of the network
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    loss: float,
    duplication: float,
    delay_s: float,
    callee: str,
    hang_up_at_s: float,
    is_callee_first: bool,
) -> None:
    """Under loss, duplication and reordering every call ends once, with one record, and leaves nothing (I4)."""
    store = make_store(tmp_path_factory.mktemp("bad"))
    try:
        impairment = Impairment(loss=loss, duplication=duplication, delay_s_max=delay_s)
        world = World(store, prepare(store), seed=seed, impairment=impairment)
        world.bilal.on_invite = CALLEES[callee]
        leg = world.asha.dial()

        def hang_up() -> None:
            now = world.network.now
            if is_callee_first and world.bilal.legs:
                world.bilal.agent.hang_up(world.bilal.legs[0], now)
            else:
                world.asha.agent.hang_up(leg, now)

        world.network.call_at(hang_up_at_s, hang_up)
        world.network.call_at(70.0, lambda: world.asha.agent.hang_up(leg, world.network.now))
        world.run(400.0)
        world.node.switch.stop()
        world.run(200.0)
        assert_nothing_is_left(world)
        assert len(reasons(store)) <= 1
        assert ASHA.number.reveal().encode() not in world.sent_to(world.bilal)
        assert BILAL.number.reveal().encode() not in world.sent_to(world.asha)
    finally:
        store.close()


def test_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """A run under loss replays bit by bit from its seed."""
    transcripts: Counter[bytes] = Counter()
    for index in range(2):
        directory = tmp_path / str(index)
        directory.mkdir()
        store = make_store(directory)
        impairment = Impairment(loss=0.2, duplication=0.2, delay_s_max=0.5)
        world = World(store, prepare(store), seed=3, impairment=impairment)
        leg = world.asha.dial()
        world.run(20.0)
        world.asha.agent.hang_up(leg, world.network.now)
        world.run(LONG_S)
        transcripts[world.network.render_transcript()] += 1
        store.close()
    assert list(transcripts.values()) == [2]
