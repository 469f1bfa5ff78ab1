from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

from tests.world import NOW, peek

from maskline.core.inventory import (
    DialledFrom,
    NumberFormat,
    Registration,
    Target,
    Transport,
    Trunk,
    TrunkSettings,
)
from maskline.core.secret import Secret
from maskline.store.engine import Store, Tx
from maskline.workflows.trunks import (
    TrunkExists,
    add_trunk,
    change_trunk,
    load_trunk,
    load_trunk_to_change,
    load_trunks,
)

FULL = TrunkSettings(
    name="carrier",
    targets=(
        Target(host="sip.example", port=5080, transport=Transport.TCP),
        Target(host="2001:db8::1", priority=20, weight=0),
    ),
    accept=("192.0.2.0/24", "2001:db8::/32"),
    media_networks=("198.51.100.0/24",),
    country="US",
    codecs=("PCMA", "opus"),
    is_trusted_for_identity=False,
    dialled_from=DialledFrom.TO,
    sends_asserted=True,
    number_format=NumberFormat.DIGITS,
    caller_format=NumberFormat.NATIONAL,
    dial_prefix="99",
    sends_user_phone=True,
    from_host="us.carrier.example",
    realm="carrier",
    registration=Registration(registrar=Target(host="reg.example"), expires_s=300),
    has_health_check=False,
    username="u",
    password=Secret("p4ss"),
    max_calls=30,
)


def test_reads_back_what_was_added(store: Store) -> None:
    """Every setting of a trunk survives the database, and so do the defaults."""
    for settings in (FULL, TrunkSettings(name="plain", targets=(Target(host="192.0.2.1"),))):
        added = store.run(add_trunk, settings, NOW)
        assert isinstance(added, Trunk)
        assert store.read(load_trunk, settings.name) == added
        assert all(getattr(added, it.name) == getattr(settings, it.name) for it in fields(TrunkSettings))
    assert [trunk.name for trunk in store.read(load_trunks)] == ["carrier", "plain"]


def test_names_are_unique(store: Store) -> None:
    """A second trunk of the same name is refused."""
    store.run(add_trunk, FULL, NOW)
    assert store.run(add_trunk, replace(FULL, targets=(Target(host="other"),)), NOW) == TrunkExists()
    assert store.read(load_trunk, "nobody") is None


def test_changes(store: Store) -> None:
    """A trunk gets other settings; its name and its age stay; nobody else changes."""
    added = store.run(add_trunk, FULL, NOW)
    other = store.run(add_trunk, replace(FULL, name="other"), NOW)
    assert isinstance(added, Trunk)
    changed = replace(
        added,
        targets=(Target(host="192.0.2.9", port=5099), Target(host="192.0.2.9", port=5099)),
        accept=("192.0.2.9/32",),
        password=Secret("other"),
        registration=Registration(),
    )
    assert store.run(change_trunk, changed)
    assert store.read(load_trunks) == (changed, other)
    assert not store.run(change_trunk, replace(changed, id=added.id + 9))
    assert not store.run(change_trunk, replace(changed, name="another"))


def test_nobody_s_change_is_lost(store: Store) -> None:
    """Each of many changers at once changes what the one before left."""
    store.run(add_trunk, FULL, NOW)

    def accept(tx: Tx, network: str) -> bool:
        known = load_trunk_to_change(tx, "carrier")
        assert known is not None
        return change_trunk(tx, replace(known, accept=(*known.accept, network)))

    networks = {f"192.0.2.{it}/32" for it in range(8)}
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda it: store.run(accept, it), networks))
    left = store.read(load_trunk, "carrier")
    assert left is not None
    assert set(left.accept) == networks | set(FULL.accept)
    assert store.run(load_trunk_to_change, "nobody") is None


def test_password_is_sealed(store: Store) -> None:
    """The database holds no readable password."""
    store.run(add_trunk, FULL, NOW)
    [(sealed,)] = peek(store, "SELECT password_sealed FROM trunk")
    assert b"p4ss" not in bytes(sealed)
