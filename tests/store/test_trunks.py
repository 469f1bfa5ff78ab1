from maskline.core.inventory import Target, TrunkSettings
from maskline.core.secret import Secret
from maskline.store import trunks
from maskline.store.engine import Store


def test_trunks_without_and_with_secrets(store: Store) -> None:
    """A trunk may have no credentials; empty lists stay lists."""
    store.run(trunks.insert_trunk, TrunkSettings(name="a", targets=(Target(host="h"),)), 1)
    store.run(
        trunks.insert_trunk, TrunkSettings(name="b", targets=(Target(host="h"),), password=Secret("")), 2
    )
    plain, secret = store.read(trunks.load_trunks)
    assert (plain.password, plain.accept, plain.media_networks) == (None, (), ())
    assert secret.password == Secret("")
    assert (plain.created_at, secret.created_at) == (1, 2)


def test_taken_name_inserts_nothing(store: Store) -> None:
    """The second trunk of a name gets no id."""
    settings = TrunkSettings(name="a", targets=(Target(host="h"),))
    assert store.run(trunks.insert_trunk, settings, 1) is not None
    assert store.run(trunks.insert_trunk, settings, 1) is None
    assert len(store.read(trunks.load_trunks)) == 1
