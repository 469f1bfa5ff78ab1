import pytest

from maskline.engine.media_registry import REST_S, Port, Registry, Session
from maskline.engine.media_types import Family, LiveRelay, PartyMedia, RelayFull, RelayRefused

A = PartyMedia(address="192.0.2.1", port=4000)
LATER = PartyMedia(address="192.0.2.1", port=4002)


def make_session(call: str, number: int, *, switch: str = "s", party: PartyMedia | None = A) -> Session:
    """A session with one port."""
    port = Port(Family.V4, number, rtp=10, rtcp=11, party=party)
    return Session(call, switch, opened_mono_s=100.0, ports={"a": port})


def test_cap_and_duplicates() -> None:
    """The cap counts live sessions; a call is entered once."""
    registry = Registry(calls_max=1)
    registry.admit("one")
    session = make_session("one", 4)
    registry.add(session)
    with pytest.raises(RelayRefused):
        registry.admit("one")
    with pytest.raises(RelayFull):
        registry.admit("two")
    registry.remove(session, 100.0)
    registry.admit("two")


def test_a_port_belongs_to_the_last_who_opened_it() -> None:
    """An old session that lost its port to a new one no longer owns it, and leaving does not free it."""
    registry = Registry(calls_max=9)
    old, new = make_session("old", 4), make_session("new", 4)
    registry.add(old)
    registry.add(new)
    assert not registry.owns(old, old.ports["a"])
    registry.remove(old, 100.0)
    assert registry.owns(new, new.ports["a"])


def test_ports_rest() -> None:
    """Whoever used a port is remembered for the rest time, to the instant."""
    registry = Registry(calls_max=9)
    session = make_session("one", 4)
    registry.add(session)
    registry.remove(session, 100.0)
    assert registry.recent_endpoints(Family.V4, 4, 100.0 + REST_S - 0.001) == (("192.0.2.1", 4000),)
    assert registry.recent_endpoints(Family.V4, 4, 100.0 + REST_S) == ()
    assert registry.recent_endpoints(Family.V6, 4, 100.0) == ()
    registry.tidy(100.0 + REST_S - 0.001)
    assert registry.resting_count == 1
    registry.tidy(100.0 + REST_S)
    assert registry.resting_count == 0


def test_several_earlier_parties_are_remembered() -> None:
    """The last four who used a port are kept, each once."""
    registry = Registry(calls_max=9)
    for number, port in enumerate((4000, 4002, 4000, 4004, 4006, 4008)):
        session = make_session("x", 4, party=PartyMedia(address="192.0.2.1", port=port))
        registry.add(session)
        registry.remove(session, 100.0 + number)
    endpoints = registry.recent_endpoints(Family.V4, 4, 110.0)
    assert [port for _, port in endpoints] == [4000, 4004, 4006, 4008]


def test_ports_that_nobody_used_need_no_rest() -> None:
    """A side that was never connected leaves nothing behind."""
    registry = Registry(calls_max=9)
    session = make_session("one", 4, party=None)
    registry.add(session)
    registry.remove(session, 100.0)
    assert registry.resting_count == 0


def test_switches_that_go() -> None:
    """Sessions are abandoned once their switch has been gone for the whole time, unless it came back."""
    registry = Registry(calls_max=9)
    for switch in ("goes", "stays", "back", "twice"):
        registry.switch_connected(switch)
    registry.switch_connected("twice")
    for number, switch in enumerate(("goes", "stays", "back", "twice")):
        registry.add(make_session(switch, number * 2, switch=switch))
    for switch in ("goes", "back", "twice"):
        registry.switch_disconnected(switch, 100.0)
    registry.switch_connected("back")
    assert registry.abandoned(159.9, after_s=60.0) == ()
    assert [session.call for session in registry.abandoned(160.0, after_s=60.0)] == ["goes"]
    assert registry.abandoned(200.0, after_s=60.0) == ()


def test_list() -> None:
    """The list gives call, age and switch."""
    registry = Registry(calls_max=9)
    registry.add(make_session("one", 4))
    assert registry.list(102.5) == (LiveRelay(call="one", age_s=2.5, switch="s"),)
