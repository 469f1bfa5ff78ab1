"""What Prometheus is told of a switch."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from maskline.engine.switch_metrics import SwitchMetrics
from maskline.engine.trunk_watch import TrunkWatch
from maskline.store.engine import Store
from tests.engine.virtual_world import CARRIER, World, make_store, prepare


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = make_store(tmp_path)
    yield made
    made.close()


def test_a_running_call_and_its_trunk_are_seen(store: Store) -> None:
    """Calls, channels and the health of targets are those of the moment, and no number is among the labels."""
    world = World(store, prepare(store))
    switch = world.node.switch
    watch = TrunkWatch(
        switch.trunks,
        switch.user_agent,
        switch.settings,
        clock=world.node.runner,
        random_bytes=Random(1).randbytes,
        pump=switch.pump,
    )
    registry = CollectorRegistry()
    registry.register(SwitchMetrics(switch, watch))
    watch.tick()
    world.asha.dial()
    world.run(2.0)
    told = generate_latest(registry).decode()
    assert "maskline_calls 1.0" in told
    assert 'maskline_trunk_channels{trunk="carrier"} 2.0' in told
    assert f'maskline_trunk_target_healthy{{target="{CARRIER}' in told
    assert "9812300" not in told
