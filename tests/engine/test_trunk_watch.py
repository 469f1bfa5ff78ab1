"""Health checks and registrations through the real user agent, over a virtual network."""

from dataclasses import replace
from random import Random

import pytest

from maskline.core.inventory import Registration, Target, Trunk
from maskline.core.secret import Secret
from maskline.engine.switch_settings import SwitchSettings
from maskline.engine.trunk_table import TrunkTable
from maskline.engine.trunk_watch import TrunkWatch
from maskline.sip.digest import Credentials
from maskline.sip.events import RequestAnswered
from maskline.sip.user_agent import UserAgent
from maskline.sip.user_agent_types import UserAgentSettings
from maskline.testing.network import PERFECT, Impairment, VirtualNetwork
from tests.engine.registrar import ScriptedRegistrar

OURS = ("10.0.0.1", 5060)
FIRST, SECOND = ("192.0.2.1", 5060), ("192.0.2.2", 5080)
CREDENTIALS = Credentials(username="us", password="secret")
TRUNK = Trunk(
    id=1,
    created_at=0,
    name="one",
    targets=(Target(host=FIRST[0], port=FIRST[1]), Target(host=SECOND[0], port=SECOND[1])),
    username="us",
    password=Secret("secret"),
    registration=Registration(expires_s=600),
)


class Clock:
    """The network's clock."""

    def __init__(self, network: VirtualNetwork) -> None:
        self._network = network

    def now_us(self) -> int:
        return round(self._network.now * 1_000_000)

    def mono_s(self) -> float:
        return self._network.now


class Scene:
    """A user agent whose trunks are looked after each second, and a carrier of two machines."""

    def __init__(self, trunk: Trunk = TRUNK, *, seed: int = 0, impairment: Impairment = PERFECT) -> None:
        self.network = VirtualNetwork(seed=seed, impairment=impairment)
        self.table = TrunkTable()
        self.table.replace((trunk,))
        dice = Random(seed)
        self.agent = UserAgent(
            UserAgentSettings(advertised=OURS), random_bytes=dice.randbytes, is_trusted=lambda _: False
        )
        self.watch = TrunkWatch(
            self.table,
            self.agent,
            SwitchSettings(local={("udp", False): OURS}, advertised=OURS),
            clock=Clock(self.network),
            random_bytes=dice.randbytes,
            pump=self._pump,
        )
        self.network.attach(self.agent, OURS, after=lambda _now: self._pump())
        self.first = ScriptedRegistrar(self.network, FIRST, CREDENTIALS)
        self.second = ScriptedRegistrar(self.network, SECOND, CREDENTIALS)
        self._tick()

    def _pump(self) -> None:
        while (event := self.agent.next_event()) is not None:
            assert isinstance(event, RequestAnswered)
            self.watch.answered(event)

    def _tick(self) -> None:
        self.watch.tick()
        self.network.call_at(self.network.now + 1.0, self._tick)

    def run(self, seconds: float) -> None:
        self.network.run(until=self.network.now + seconds)

    def route(self) -> list[str]:
        return [address.host for address in self.table.route(1, dice=1, now=self.network.now)]


def test_a_trunk_registers_and_stays_registered() -> None:
    """With digest at both machines, for an hour; stopping takes both bindings back."""
    scene = Scene()
    for _ in range(60):
        scene.run(60)
        assert len(scene.first.live_bindings) == len(scene.second.live_bindings) == 1
    assert scene.first.live_bindings == ["<sip:us@10.0.0.1:5060>"]
    registers = scene.first.of("REGISTER")
    assert len({request.call_id for _, request in registers}) == 1
    numbers = [request.cseq.number for _, request in registers]
    assert numbers == sorted(set(numbers))
    # 300 s are granted, so one every 240 to 270 s, each asked for credentials once.
    assert 2 * 3600 / 270 - 2 <= len(registers) <= 2 * 3600 / 240 + 2
    scene.watch.stop()
    assert scene.watch.is_busy
    scene.run(1)
    assert not scene.watch.is_busy
    assert scene.first.live_bindings == scene.second.live_bindings == []
    scene.run(600)
    assert len(scene.first.of("REGISTER")) == len(registers) + 2


def test_nothing_secret_is_in_the_open() -> None:
    """The password is in no request, and the credentials only in answers to challenges."""
    scene = Scene()
    scene.run(10)
    assert b"secret" not in scene.network.render_transcript()
    for _, request in scene.first.of("OPTIONS"):
        assert "Authorization" not in request.headers
        assert "us" not in (request.headers.get("From") or "")


def test_a_short_interval_is_made_longer() -> None:
    """423 is met with what it asks for, within seconds."""
    scene = Scene(replace(TRUNK, registration=Registration(expires_s=60)))
    scene.first.expires_s_min = 1800
    scene.run(5)
    assert len(scene.first.live_bindings) == 1
    assert scene.first.of("REGISTER")[-1][1].headers.get("Expires") == "1800"


def test_another_realm_gets_no_credentials() -> None:
    """The second machine asks for a realm of its own: it is refused our answer, and we are not registered there."""
    scene = Scene(replace(TRUNK, registration=Registration(expires_s=600)))
    scene.second.realm = "somebody else"
    scene.second.is_down = True
    scene.run(10)
    scene.second.is_down = False
    scene.run(700)
    assert len(scene.first.live_bindings) == 1
    assert scene.second.live_bindings == []
    assert scene.second.of("REGISTER")
    assert all("Authorization" not in request.headers for _, request in scene.second.of("REGISTER"))
    states = {state.registrar: (state.is_registered, state.status) for state in scene.watch.registrations()}
    assert states == {FIRST[0]: (True, 0), SECOND[0]: (False, 401)}


def test_a_machine_that_goes_down_is_tried_last_until_it_is_back() -> None:
    """Within a check and its repetition; registered again as soon as it answers."""
    scene = Scene()
    scene.run(10)
    scene.first.is_down = True
    scene.run(45)
    assert scene.route() == [SECOND[0], FIRST[0]]
    assert {state.target.split()[0]: state.is_healthy for state in scene.watch.targets()} == {
        FIRST[0]: False,
        SECOND[0]: True,
    }
    scene.run(600)
    assert scene.first.live_bindings == []
    scene.first.is_down = False
    scene.run(40)
    assert set(scene.route()) == {FIRST[0], SECOND[0]}
    assert all(state.is_healthy for state in scene.watch.targets())
    assert len(scene.first.live_bindings) == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_lossy_network_costs_nothing_but_repetitions(seed: int) -> None:
    """With every fifth datagram lost both machines stay healthy and the trunk registered."""
    impairment = Impairment(loss=0.2, duplication=0.1, delay_s_min=0.01, delay_s_max=0.2)
    scene = Scene(seed=seed, impairment=impairment)
    scene.run(60)
    for _ in range(30):
        scene.run(60)
        assert all(state.is_healthy for state in scene.watch.targets())
        assert len(scene.first.live_bindings) == len(scene.second.live_bindings) == 1


def test_the_same_seed_sends_the_same_bytes() -> None:
    """Chance comes from one place."""
    one, two = Scene(seed=3), Scene(seed=3)
    for scene in (one, two):
        scene.run(300)
    assert one.network.render_transcript() == two.network.render_transcript()
    assert len(one.network.transcript) > 40
