import os
import uuid

from maskline.api.ids import IDSource


def test_ids_are_distinct_random_uuids() -> None:
    """Over several batches."""
    source = IDSource(os.urandom)
    drawn = [source.draw() for _ in range(1_000)]
    assert len(set(drawn)) == 1_000
    assert {uuid.UUID(text).version for text in drawn} == {4}
    assert all(str(uuid.UUID(text)) == text for text in drawn)


def test_the_same_bytes_give_the_same_ids() -> None:
    """Nothing but the given source is random."""
    assert IDSource(bytes).draw() == "00000000-0000-4000-8000-000000000000"
