import os
import threading
from pathlib import Path

import pytest

from maskline.prompts.cache import PromptCache, make_key
from maskline.prompts.format import FRAME_BYTES

SECOND = 50 * FRAME_BYTES


def _payloads(seconds: int, fill: bytes = b"x") -> dict[int, bytes]:
    return dict.fromkeys((0, 8, 9), fill * (seconds * SECOND))


def _cache(directory: Path, **options: int) -> PromptCache:
    cache = PromptCache(directory, **options)
    cache.load()
    return cache


def _names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_what_is_kept_is_found(tmp_path: Path) -> None:
    """A prompt has a stem, a file for each codec, its duration, and nobody else can read it."""
    cache = _cache(tmp_path / "prompts")
    key = make_key(b"one")
    assert cache.find(key) is None
    cache.keep(key, _payloads(3))
    assert cache.find(key) == 3.0
    assert _names(tmp_path / "prompts") == {f"{key}.{payload_type}" for payload_type in (0, 8, 9)}
    for payload_type in (0, 8, 9):
        path = Path(f"{cache.stem(key)}.{payload_type}")
        assert path.is_absolute()
        assert path.read_bytes() == b"x" * 3 * SECOND
        assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "prompts").stat().st_mode & 0o777 == 0o700


def test_stem_is_absolute_wherever_the_service_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine runs elsewhere: a relative data directory makes no relative stem."""
    monkeypatch.chdir(tmp_path)
    assert PromptCache(Path("var/prompts")).stem("k") == str(tmp_path / "var/prompts/k")


def test_prompts_survive_a_restart(tmp_path: Path) -> None:
    """What is on disk is found again."""
    _cache(tmp_path).keep(make_key(b"one"), _payloads(2))
    again = _cache(tmp_path)
    assert again.find(make_key(b"one")) == 2.0
    assert again.byte_count == 6 * SECOND


def test_longest_unused_goes_first(tmp_path: Path) -> None:
    """With room for three, the fourth takes the place of the one not asked for."""
    cache = _cache(tmp_path, bytes_max=9 * SECOND)
    keys = [make_key(bytes([n])) for n in range(4)]
    for key in keys[:3]:
        cache.keep(key, _payloads(1))
    assert cache.find(keys[0]) == 1.0
    cache.keep(keys[3], _payloads(1))
    assert [cache.find(key) for key in keys] == [1.0, None, 1.0, 1.0]
    assert cache.byte_count == 9 * SECOND
    assert len(_names(tmp_path)) == 9


def test_use_counts_across_a_restart(tmp_path: Path) -> None:
    """The order of use is that of the files' times."""
    keys = [make_key(bytes([n])) for n in range(3)]
    cache = _cache(tmp_path)
    for age, key in enumerate(keys):
        cache.keep(key, _payloads(1))
        for payload_type in (0, 8, 9):
            os.utime(tmp_path / f"{key}.{payload_type}", (1_000 + age, 1_000 + age))
    assert cache.find(keys[0]) == 1.0
    again = _cache(tmp_path, bytes_max=6 * SECOND)
    assert [again.find(key) for key in keys] == [1.0, None, 1.0]


def test_what_is_incomplete_is_deleted(tmp_path: Path) -> None:
    """Half-written files, prompts that lack a codec, and sizes that disagree are gone after a start."""
    whole = make_key(b"whole")
    _cache(tmp_path).keep(whole, _payloads(1))
    for name, size in (
        (f"{make_key(b'lacking')}.0", SECOND),
        (f"{make_key(b'unfinished')}.0.new", SECOND),
        (f"{make_key(b'other codec')}.18", SECOND),
        *((f"{make_key(b'empty')}.{payload_type}", 0) for payload_type in (0, 8, 9)),
        *((f"{make_key(b'odd')}.{payload_type}", 7) for payload_type in (0, 8, 9)),
        *(
            (f"{make_key(b'unequal')}.{payload_type}", SECOND * (payload_type + 1))
            for payload_type in (0, 8, 9)
        ),
    ):
        (tmp_path / name).write_bytes(bytes(size))
    (tmp_path / "README").write_text("somebody else's")
    cache = _cache(tmp_path)
    assert cache.find(whole) == 1.0
    assert _names(tmp_path) == {"README", *(f"{whole}.{payload_type}" for payload_type in (0, 8, 9))}


def test_files_that_somebody_removed_are_not_promised(tmp_path: Path) -> None:
    """A prompt is found only while all its files are there."""
    cache = _cache(tmp_path)
    key = make_key(b"one")
    cache.keep(key, _payloads(1))
    (tmp_path / f"{key}.8").unlink()
    assert cache.find(key) is None
    cache.keep(key, _payloads(1))
    assert cache.find(key) == 1.0


def test_disk_that_takes_nothing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails in the middle leaves neither a part of the prompt nor a promise of it."""
    cache = _cache(tmp_path)
    key = make_key(b"one")
    (tmp_path / f"{key}.9.new").mkdir()
    with pytest.raises(OSError, match="directory"):
        cache.keep(key, _payloads(1))
    assert cache.find(key) is None
    assert _names(tmp_path) <= {f"{key}.9.new"}


def test_prompt_larger_than_the_cache_is_not_kept(tmp_path: Path) -> None:
    """The bound holds whatever comes."""
    cache = _cache(tmp_path, bytes_max=SECOND)
    cache.keep(make_key(b"one"), _payloads(1))
    assert cache.find(make_key(b"one")) is None
    assert _names(tmp_path) == set()


def test_same_content_from_two_threads(tmp_path: Path) -> None:
    """Two URLs with one content may be made at the same moment."""
    cache = _cache(tmp_path)
    key = make_key(b"one")
    errors: list[BaseException] = []

    def keep() -> None:
        try:
            for _ in range(20):
                cache.keep(key, _payloads(1))
                assert cache.find(key) == 1.0
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=keep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert cache.byte_count == 3 * SECOND


def test_keys_name_content() -> None:
    """The same content has the same name, other content another, and a name says nothing of it."""
    assert make_key(b"a") == make_key(b"a") != make_key(b"b")
    assert len(make_key(b"")) == 64
