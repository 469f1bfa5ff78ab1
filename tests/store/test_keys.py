import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.numbers import E164
from maskline.store import keys as module
from maskline.store.keys import KeyFileError, Keys, SealError, load_key_file, make_key_file

NUMBER = E164("+919876543210")


def _keys(**changed: object) -> Keys:
    given: dict[str, object] = {"seal_keys": {1: bytes(32)}, "current_id": 1, "ref_key": bytes(32)}
    return Keys(**(given | changed))  # type: ignore[arg-type]


@given(st.text(), st.text(max_size=50))
def test_seals_and_unseals(text: str, place: str) -> None:
    """What was sealed for a place is read back there."""
    keys = _keys()
    assert keys.unseal(keys.seal(text, place), place) == text


def test_sealing_twice_gives_different_bytes() -> None:
    """Equal values cannot be told from their sealed form."""
    keys = _keys()
    assert keys.seal("x", "p") != keys.seal("x", "p")


def test_sealed_value_is_bound_to_its_place() -> None:
    """A value moved to another row, column or table does not open."""
    keys = _keys()
    sealed = keys.seal("x", "account.token_sealed:1")
    for place in ("account.token_sealed:2", "trunk.token_sealed:1", "account.name:1", ""):
        with pytest.raises(SealError):
            keys.unseal(sealed, place)


@given(st.integers(0), st.integers(1, 255))
def test_changed_value_does_not_open(position: int, difference: int) -> None:
    """Any changed byte is noticed."""
    keys = _keys()
    sealed = bytearray(keys.seal("a secret text", "p"))
    sealed[position % len(sealed)] ^= difference
    with pytest.raises(SealError):
        keys.unseal(bytes(sealed), "p")


@pytest.mark.parametrize("sealed", [b"", b"\x00", b"\x00\x01", b"\x00\x01" + bytes(12)])
def test_truncated_value_does_not_open(sealed: bytes) -> None:
    """Too few bytes are an error of the value, not of the program."""
    with pytest.raises(SealError):
        _keys().unseal(sealed, "p")


def test_reference_is_the_same_however_many_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """References are remembered up to a bound, and a remembered one is the one that would be computed."""
    monkeypatch.setattr(module, "_REF_CACHE_SIZE", 2)
    keys = _keys()
    numbers = [E164(f"+9198765432{index:02}") for index in range(5)]
    refs = [keys.ref(number) for number in numbers]
    assert [keys.ref(number) for number in numbers] == refs == [_keys().ref(number) for number in numbers]
    assert len(set(refs)) == len(numbers)
    assert len(keys._ref_by_identity) <= 2


def test_old_key_opens_what_it_sealed_after_rotation() -> None:
    """New values are sealed with the current key; old ones stay readable while their key is kept."""
    old = _keys()
    sealed = old.seal("x", "p")
    both = _keys(seal_keys={1: bytes(32), 2: bytes(31) + b"\x01"}, current_id=2)
    assert both.unseal(sealed, "p") == "x"
    assert both.seal("x", "p")[:2] == b"\x00\x02"
    with pytest.raises(SealError):
        old.unseal(both.seal("x", "p"), "p")


def test_refs_are_stable_keyed_and_of_the_subscriber() -> None:
    """A reference is 32 hex digits, the same for one subscriber, and another with another key."""
    keys = _keys()
    ref = keys.ref(NUMBER)
    assert ref == keys.ref(E164("+919876543210"))
    assert len(bytes.fromhex(ref)) == 16
    assert ref != keys.ref(E164("+919876543211"))
    assert ref != _keys(ref_key=bytes(31) + b"\x01").ref(NUMBER)
    assert keys.ref(E164("+5491123456789")) == keys.ref(E164("+541123456789"))


def test_uses_of_one_master_key_are_apart() -> None:
    """A PIN that looks like a number has another hash than the number, and check values name no key."""
    keys = _keys()
    assert keys.pin_hash(NUMBER.reveal()) != keys.ref(NUMBER)
    assert keys.check_value != _keys(ref_key=bytes(31) + b"\x01").check_value
    assert bytes(32).hex() not in keys.check_value


def test_prints_as_a_constant() -> None:
    """Keys in a log line tell nothing."""
    assert f"{_keys()} {_keys()!r}" == "Keys(hidden) Keys(hidden)"


def test_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    """A new file is 0600 whatever the umask, and loads as the keys it made."""
    path = tmp_path / "new" / "maskline.key"
    before = os.umask(0)
    try:
        made = make_key_file(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key_file(path).ref(NUMBER) == made.ref(NUMBER)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_key_file_is_never_overwritten(tmp_path: Path) -> None:
    """Making a file where one is fails and leaves it as it was."""
    path = tmp_path / "maskline.key"
    make_key_file(path)
    content = path.read_bytes()
    with pytest.raises(KeyFileError):
        make_key_file(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """Group and world have no business with the key file."""
    path = tmp_path / "maskline.key"
    make_key_file(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_key_file(path)


@pytest.mark.parametrize(
    "changed",
    [
        {"format": 2},
        {"current": 7},
        {"current": None},
        {"seal": {"1": "00"}},
        {"seal": {"x": "00" * 32}},
        {"seal": []},
        {"ref": "zz" * 32},
        {"ref": 5},
    ],
)
def test_broken_key_file_is_refused_without_quoting_it(tmp_path: Path, changed: dict[str, object]) -> None:
    """A file that is not a key file is named with what is wrong, never with its content."""
    path = tmp_path / "maskline.key"
    make_key_file(path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | changed))
    with pytest.raises(KeyFileError) as caught:
        load_key_file(path)
    assert content["ref"] not in str(caught.value)
    assert content["seal"]["1"] not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "null", "{}", "{", "\x00" * 10])
def test_file_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    """Anything that is not our JSON is refused as such."""
    path = tmp_path / "maskline.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        load_key_file(path)


def test_missing_key_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(KeyFileError, match=r"nothing\.key"):
        load_key_file(tmp_path / "nothing.key")


def test_links_are_signed_with_a_key_of_their_own() -> None:
    """A signature of a link says nothing of PIN hashes or references, and another key file's is another."""
    keys = _keys()
    signature = keys.link_signature("1234")
    assert len(signature) == 64
    assert signature == _keys().link_signature("1234") != keys.link_signature("1235")
    assert not signature.startswith(keys.pin_hash("1234"))
    assert signature != _keys(ref_key=bytes([1]) * 32).link_signature("1234")


def test_hashes_of_different_uses_differ() -> None:
    """The same text as a key's secret, an idempotency key or a link is three texts; without the key file none."""
    keys, text = _keys(), "mk_" + "a" * 60
    hashes = {keys.api_key_hash(text), keys.idempotency_hash(text.encode()), keys.link_signature(text)}
    assert len(hashes) == 3
    assert keys.api_key_hash(text) == _keys().api_key_hash(text)
    others = _keys(ref_key=bytes([1]) * 32)
    assert not hashes & {others.api_key_hash(text), others.idempotency_hash(text.encode())}
