import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.core.allocation import (
    Candidate,
    ExhaustionReason,
    PoolExhausted,
    PoolFacts,
    explain_exhaustion,
    order_candidates,
)
from maskline.core.inventory import AllocationPolicy

INSTANTS = st.none() | st.integers(0, 2**53)
CANDIDATES = st.lists(
    st.builds(
        lambda id_, pair, party: Candidate(
            number_id=id_, position=id_, pair_used_at=pair, party_used_at=party
        ),
        st.integers(1, 50),
        INSTANTS,
        INSTANTS,
    ),
    unique_by=lambda it: it.number_id,
).map(tuple)


def _candidate(number_id: int, *, pair: int | None = None, party: int | None = None) -> Candidate:
    return Candidate(number_id=number_id, position=number_id, pair_used_at=pair, party_used_at=party)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (AllocationPolicy.FIRST_FIT, [1, 2, 3, 4]),
        (AllocationPolicy.STICKY, [3, 2, 1, 4]),
        (AllocationPolicy.SPREAD, [4, 1, 3, 2]),
    ],
)
def test_policies(policy: AllocationPolicy, expected: list[int]) -> None:
    """First fit goes by inventory, sticky by the pair's last number, spread by the longest unused."""
    candidates = (
        _candidate(4),
        _candidate(2, pair=10, party=30),
        _candidate(1, party=10),
        _candidate(3, pair=20, party=20),
    )
    assert [it.number_id for it in order_candidates(policy, candidates)] == expected


@given(st.sampled_from(AllocationPolicy), CANDIDATES, st.randoms(use_true_random=False))
def test_order_is_a_deterministic_permutation(
    policy: AllocationPolicy, candidates: tuple[Candidate, ...], random: object
) -> None:
    """Every free number is offered once, in an order that does not depend on the order of the rows."""
    shuffled = list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis' own Random
    ordered = order_candidates(policy, candidates)
    assert ordered == order_candidates(policy, tuple(shuffled))
    assert sorted(it.number_id for it in ordered) == sorted(it.number_id for it in candidates)


def _facts(*counts: int, had_pin_clash: bool = False) -> PoolFacts:
    usable, matching, unoccupied, compatible, *rest = counts
    return PoolFacts(
        usable_count=usable,
        matching_count=matching,
        unoccupied_count=unoccupied,
        compatible_count=compatible,
        unguessable_count=rest[0] if rest else compatible,
        had_pin_clash=had_pin_clash,
    )


@pytest.mark.parametrize(
    ("facts", "reason", "needed"),
    [
        (_facts(0, 0, 0, 0), ExhaustionReason.NO_NUMBERS, 1),
        (_facts(3, 0, 0, 0), ExhaustionReason.NO_COUNTRY_MATCH, 1),
        (_facts(3, 2, 0, 0), ExhaustionReason.PARTIES_BUSY, 3),
        (_facts(3, 2, 1, 0), ExhaustionReason.STRANGERS_CLASH, 3),
        (_facts(3, 2, 1, 1, 0), ExhaustionReason.PINS_GUESSABLE, 3),
        (_facts(3, 2, 1, 1, had_pin_clash=True), ExhaustionReason.PINS_TAKEN, 3),
        (_facts(3, 2, 1, 1), ExhaustionReason.CONTENDED, 2),
    ],
)
def test_exhaustion_is_explained(facts: PoolFacts, reason: ExhaustionReason, needed: int) -> None:
    """The first condition that leaves nothing is the reason, with the numbers that would have been enough."""
    assert explain_exhaustion(facts) == PoolExhausted(reason=reason, needed=needed)
