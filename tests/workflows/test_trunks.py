from dataclasses import fields, replace

from tests.world import NOW, peek

from maskline.core.inventory import DialledFrom, Transport, Trunk, TrunkSettings
from maskline.core.secret import Secret
from maskline.store.engine import Store
from maskline.workflows.trunks import TrunkExists, add_trunk, load_trunk, load_trunks, move_trunk

FULL = TrunkSettings(
    name="carrier",
    peer_host="sip.example",
    peer_port=5080,
    transport=Transport.TCP,
    accept=("192.0.2.0/24", "2001:db8::/32"),
    media_networks=("198.51.100.0/24",),
    country="US",
    codecs=("PCMA", "opus"),
    is_trusted_for_identity=False,
    dialled_from=DialledFrom.TO,
    sends_asserted=True,
    number_format="plain",
    username="u",
    password=Secret("p4ss"),
    max_calls=30,
)


def test_reads_back_what_was_added(store: Store) -> None:
    """Every setting of a trunk survives the database, and so do the defaults."""
    for settings in (FULL, TrunkSettings(name="plain", peer_host="192.0.2.1")):
        added = store.run(add_trunk, settings, NOW)
        assert isinstance(added, Trunk)
        assert store.read(load_trunk, settings.name) == added
        assert all(getattr(added, it.name) == getattr(settings, it.name) for it in fields(TrunkSettings))
    assert [trunk.name for trunk in store.read(load_trunks)] == ["carrier", "plain"]


def test_names_are_unique(store: Store) -> None:
    """A second trunk of the same name is refused."""
    store.run(add_trunk, FULL, NOW)
    assert store.run(add_trunk, replace(FULL, peer_host="other"), NOW) == TrunkExists()
    assert store.read(load_trunk, "nobody") is None


def test_moves(store: Store) -> None:
    """A trunk's peer can be moved with the addresses it accepts; nothing else changes."""
    added = store.run(add_trunk, FULL, NOW)
    assert isinstance(added, Trunk)
    assert store.run(move_trunk, added.id, "192.0.2.9", 5099, ("192.0.2.9/32",))
    expected = replace(added, peer_host="192.0.2.9", peer_port=5099, accept=("192.0.2.9/32",))
    assert store.read(load_trunk, "carrier") == expected
    assert not store.run(move_trunk, added.id + 1, "192.0.2.9", 5099, ())


def test_password_is_sealed(store: Store) -> None:
    """The database holds no readable password."""
    store.run(add_trunk, FULL, NOW)
    [(sealed,)] = peek(store, "SELECT password_sealed FROM trunk")
    assert b"p4ss" not in bytes(sealed)
