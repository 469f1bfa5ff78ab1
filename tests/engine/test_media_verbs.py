"""Requests of a client: every field arrives where it belongs, and what is malformed is told from a bug."""

from typing import Any, cast

import pytest

from maskline.engine.media_registry import Registry
from maskline.engine.media_sessions import Sessions
from maskline.engine.media_types import Family, PartyMedia, RelayPorts, RelayRefused, RelayStats
from maskline.engine.media_verbs import Verbs

PARTY = PartyMedia(address="192.0.2.1", port=4000, networks=("192.0.2.0/24",), is_behind_nat=True)
FIELDS = ["192.0.2.1", 4000, ["192.0.2.0/24"], True]
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, RelayRefused)
REQUESTS: dict[str, dict[str, Any]] = {
    "open": {"call": "c", "a": FIELDS, "family_a": None, "family_b": 6},
    "connect": {"call": "c", "side": "b", "party": FIELDS, "is_muted": True},
    "play": {"call": "c", "side": "a", "stem": "/p", "payload_type": 8, "tag": "t", "repeats": True},
    "stop_playing": {"call": "c", "side": "a"},
    "watch_digits": {"call": "c", "side": "a", "payload_type": 101, "is_hidden": True},
    "start_recording": {"call": "c", "name": "rec"},
    "stop_recording": {"call": "c"},
    "hold": {"call": "c", "is_held": True},
    "close": {"call": "c"},
    "stats": {"call": "c"},
}
CARRIED_OUT: dict[str, tuple[tuple[object, ...], dict[str, object]]] = {
    "open": (("c", "switch", PARTY, None, Family.V6), {}),
    "connect": (("c", "b", PARTY), {"is_muted": True}),
    "play": (("c", "a"), {"stem": "/p", "payload_type": 8, "tag": "t", "repeats": True}),
    "stop_playing": (("c", "a"), {}),
    "watch_digits": (("c", "a", 101), {"is_hidden": True}),
    "start_recording": (("c", "rec"), {}),
    "stop_recording": (("c",), {}),
    "hold": (("c",), {"is_held": True}),
    "close": (("c",), {}),
    "stats": (("c",), {}),
}


class Recorder:
    """Stands for the sessions: remembers what was asked of them."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, tuple[object, ...], dict[str, object]]] = []

    def __getattr__(self, name: str) -> object:
        """Any method."""

        def method(*positional: object, **named: object) -> object:
            self.seen.append((name, positional, named))
            if name == "open":
                return RelayPorts(address_a="192.0.2.9", port_a=4, address_b="::9", port_b=6)
            return RelayStats(from_a_count=1, from_b_count=2, relayed_count=3, dropped_count=4)

        return method


def make() -> tuple[Verbs, Recorder]:
    """Verbs over a recorder."""
    recorder = Recorder()
    return Verbs(cast("Sessions", recorder), Registry(calls_max=1), lambda: 0.0), recorder


@pytest.mark.parametrize("verb", sorted(REQUESTS))
def test_fields_arrive(verb: str) -> None:
    """A request is carried out with what it says."""
    verbs, recorder = make()
    verbs.table[verb]("switch", REQUESTS[verb])
    assert recorder.seen == [(verb, *CARRIED_OUT[verb])]


def test_answers() -> None:
    """What has an answer gives it; the rest answers nothing."""
    verbs, _ = make()
    assert verbs.table["open"]("switch", REQUESTS["open"]) == ("192.0.2.9", 4, "::9", 6)
    assert verbs.table["stats"]("switch", REQUESTS["stats"]) == (1, 2, 3, 4)
    assert verbs.table["list"]("switch", {}) == []
    for verb in ("connect", "play", "watch_digits", "ping"):
        assert verbs.table[verb]("switch", REQUESTS.get(verb, {})) is None


def test_a_party_is_let_in_unless_the_request_says_otherwise() -> None:
    """Mute is asked for, never assumed."""
    verbs, recorder = make()
    verbs.table["connect"]("switch", {"call": "c", "side": "b", "party": FIELDS})
    assert recorder.seen == [("connect", ("c", "b", PARTY), {"is_muted": False})]


@pytest.mark.parametrize("verb", sorted(REQUESTS))
def test_a_field_that_lacks(verb: str) -> None:
    """Without any one of its fields a request fails before anything is done (mute aside, which may lack)."""
    for missing in REQUESTS[verb].keys() - {"is_muted"}:
        verbs, recorder = make()
        with pytest.raises(KeyError):
            verbs.table[verb](
                "switch", {name: each for name, each in REQUESTS[verb].items() if name != missing}
            )
        assert recorder.seen == []


@pytest.mark.parametrize(
    ("verb", "field", "value"),
    [
        ("open", "a", ["192.0.2.1", "4000", [], True]),
        ("open", "a", ["192.0.2.1", True, [], True]),
        ("open", "a", [4, 4000, [], True]),
        ("open", "a", ["192.0.2.1"]),
        ("open", "a", 5),
        ("open", "family_b", 5),
        ("open", "family_a", "six"),
        ("connect", "party", None),
        ("watch_digits", "payload_type", "101"),
        ("watch_digits", "payload_type", True),
    ],
)
def test_a_field_of_another_kind(verb: str, field: str, value: object) -> None:
    """A field that cannot be what it should be fails the request."""
    verbs, recorder = make()
    with pytest.raises(MALFORMED):
        verbs.table[verb]("switch", {**REQUESTS[verb], field: value})
    assert recorder.seen == []


def test_every_verb_is_tested() -> None:
    """The list of this file is the guard's."""
    verbs, _ = make()
    assert verbs.table.keys() == REQUESTS.keys() | {"list", "ping"}
