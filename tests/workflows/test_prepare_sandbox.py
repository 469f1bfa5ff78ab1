"""The sandbox's account, trunk and numbers are made once and follow the carrier."""

from tests.world import NOW, World

from maskline.core.inventory import Target
from maskline.core.masking import NewMaskingSession, SessionCreated
from maskline.core.numbers import E164
from maskline.store.engine import Store
from maskline.workflows.create_masking_session import create_masking_session
from maskline.workflows.numbers import drain_number, list_numbers
from maskline.workflows.prepare_sandbox import DEMO_NUMBERS, prepare_sandbox
from maskline.workflows.trunks import load_trunks

CARRIER, MOVED = ("127.0.0.1", 5070), ("127.0.0.9", 5999)


def test_makes_an_account_with_ten_numbers_behind_the_carrier(store: Store) -> None:
    """An empty database gets one trunk to the carrier, and one account that leases the demo numbers."""
    sandbox = store.run(prepare_sandbox, CARRIER, NOW)
    [trunk] = store.read(load_trunks)
    assert (trunk.targets, trunk.accept) == ((Target(host=CARRIER[0], port=CARRIER[1]),), ("127.0.0.1/32",))
    assert sandbox.numbers == DEMO_NUMBERS
    assert len(DEMO_NUMBERS) == 10
    assert {number.trunk_id for number in store.read(list_numbers, sandbox.account.id)} == {trunk.id}


def test_sessions_of_either_country_find_a_number_of_their_own(store: Store) -> None:
    """The demo numbers serve the countries that the documents' examples use, geomatch included."""
    account = store.run(prepare_sandbox, CARRIER, NOW).account
    for first, second in (("+919812300001", "+919812300002"), ("+14155550001", "+14155550002")):
        created = store.run(
            create_masking_session, account, NewMaskingSession(first=E164(first), second=E164(second)), NOW
        )
        assert isinstance(created, SessionCreated)
        assert created.session.virtual_number[:2] == first[:2]


def test_a_second_start_moves_the_trunk_and_keeps_the_rest(store: Store) -> None:
    """Credentials and numbers stay as they are when the carrier listens elsewhere this time."""
    before = store.run(prepare_sandbox, CARRIER, NOW)
    store.run(drain_number, DEMO_NUMBERS[0], NOW)
    after = store.run(prepare_sandbox, MOVED, NOW)
    [trunk] = store.read(load_trunks)
    assert (trunk.targets, trunk.accept) == ((Target(host=MOVED[0], port=MOVED[1]),), ("127.0.0.9/32",))
    assert after.account == before.account
    assert after.account.token.reveal() == before.account.token.reveal()
    assert after.numbers == before.numbers
    assert after.deepcall_user == before.deepcall_user


def test_other_accounts_are_left_alone(world: World) -> None:
    """A database in use keeps its account, its numbers and its trunk."""
    before = world.store.read(list_numbers, world.account.id)
    world.store.run(prepare_sandbox, CARRIER, NOW)
    assert world.store.read(list_numbers, world.account.id) == before
    assert [trunk.name for trunk in world.store.read(load_trunks)] == [world.trunk.name, "sandbox"]
