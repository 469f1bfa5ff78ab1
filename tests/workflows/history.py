"""Check what is in the database against the rules, by reading all of it: no index and no statement is believed."""

from collections import defaultdict
from itertools import pairwise

from tests.world import peek

from maskline.store.engine import Store


def double_bookings(store: Store) -> list[tuple[int, str]]:
    """Find (virtual number, party) whose occupancies [start, free) of different sessions overlap (I1, I3)."""
    rows = peek(store, "SELECT virtual_number_id, party_ref, start_at, free_at, session_id FROM binding")
    by_place: dict[tuple[int, str], list[tuple[int, int, str]]] = defaultdict(list)
    for number_id, party_ref, start_at, free_at, session_id in rows:
        if start_at < free_at:
            by_place[number_id, party_ref].append((start_at, free_at, session_id))
    return [
        place
        for place, spans in by_place.items()
        if any(later[0] < earlier[1] for earlier, later in pairwise(sorted(spans)))
    ]


def double_calls(store: Store) -> list[str]:
    """Find sessions held by two calls at once."""
    rows = peek(
        store,
        "SELECT busy_session_id FROM live_call WHERE busy_session_id IS NOT NULL "
        "GROUP BY busy_session_id HAVING count(*) > 1",
    )
    return [str(id_) for (id_,) in rows]


def broken_sequences(store: Store) -> list[str]:
    """Find sessions whose events are not numbered 1, 2, 3... up to their count."""
    rows = peek(store, "SELECT session_id, sequence FROM outbox ORDER BY session_id, sequence")
    found: dict[str, list[int]] = defaultdict(list)
    for session_id, sequence in rows:
        found[session_id].append(sequence)
    counts = dict(peek(store, "SELECT id, event_count FROM masking_session"))
    return [id_ for id_, count in counts.items() if found[id_] != list(range(1, count + 1))]
