from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from maskline.core.delivery import LeasePlan
from maskline.webhooks.slots import FAST_S, TRUSTED_COUNT_MAX, Slots

RECEIVERS = st.sampled_from(["a", "b", "c", "d"])


def _plan(slots: Slots, now_mono_s: float = 0.0) -> LeasePlan:
    return slots.plan("worker", 1, now_mono_s)


def test_a_new_receiver_gets_few_places() -> None:
    """Nobody knows yet whether it answers."""
    plan = _plan(Slots())
    assert (plan.total_max, plan.cautious_max, plan.free_default, plan.free) == (128, 48, 2, {})


def test_a_fast_answer_brings_trust() -> None:
    """After one fast answer a receiver may have as many as one may have."""
    slots = Slots()
    slots.take("a", 0.0)
    slots.give_back("a", 0.0, FAST_S, was_answered=True)
    plan = _plan(slots, FAST_S)
    assert plan.trusted == {"a"}
    assert plan.free == {"a": 32}


def test_silence_and_slowness_take_it_away() -> None:
    """A receiver that did not answer, or not soon, has two places until it answers fast again."""
    for was_answered, duration_s in ((False, 0.1), (True, FAST_S + 0.1)):
        slots = Slots()
        slots.take("a", 0.0)
        slots.give_back("a", 0.0, 0.1, was_answered=True)
        slots.take("a", 1.0)
        slots.give_back("a", 1.0, 1.0 + duration_s, was_answered=was_answered)
        assert _plan(slots, 10.0).trusted == frozenset()


def test_who_lets_a_request_wait_is_not_trusted_meanwhile() -> None:
    """Trust does not let a receiver that has just begun to hang take more places."""
    slots = Slots()
    slots.take("a", 0.0)
    slots.give_back("a", 0.0, 0.1, was_answered=True)
    for _ in range(5):
        slots.take("a", 1.0)
    assert _plan(slots, 1.0 + FAST_S).free == {"a": 27}
    plan = _plan(slots, 1.1 + FAST_S)
    assert plan.free == {"a": 0}
    assert plan.cautious_max == 43


def test_trust_is_forgotten_at_last() -> None:
    """The memory is bounded; whoever was fast longest ago goes first."""
    slots = Slots()
    for index in range(TRUSTED_COUNT_MAX + 1):
        slots.take(str(index), 0.0)
        slots.give_back(str(index), 0.0, 0.1, was_answered=True)
    trusted = _plan(slots).trusted
    assert len(trusted) == TRUSTED_COUNT_MAX
    assert "0" not in trusted


class Fairness(RuleBasedStateMachine):
    """Whatever receivers do: each has its share, and slow ones together leave room for the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = Slots(
            slot_count=10, receiver_slot_count=5, cautious_slot_count=4, cautious_receiver_slot_count=2
        )
        self.now_s = 0.0
        self.busy: list[tuple[str, float]] = []

    @rule(receiver=RECEIVERS)
    def begin(self, receiver: str) -> None:
        """Take what the plan allows, as the workflow does."""
        plan = _plan(self.slots, self.now_s)
        is_trusted = receiver in plan.trusted
        room = min(plan.total_max, plan.total_max if is_trusted else plan.cautious_max)
        if min(room, plan.free.get(receiver, plan.free_default)) > 0:
            self.slots.take(receiver, self.now_s)
            self.busy.append((receiver, self.now_s))

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), was_answered=st.booleans())
    def end(self, data: st.DataObject, was_answered: bool) -> None:
        """One request ends, whichever."""
        receiver, started_s = self.busy.pop(data.draw(st.integers(0, len(self.busy) - 1)))
        self.slots.give_back(receiver, started_s, self.now_s, was_answered=was_answered)

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now_s += seconds

    @invariant()
    def shares_hold(self) -> None:
        """No plan goes beyond what there is, and none is negative."""
        plan = _plan(self.slots, self.now_s)
        assert self.slots.busy_count == len(self.busy) <= 10
        assert plan.total_max == 10 - len(self.busy)
        assert all(0 <= count <= 5 for count in plan.free.values())
        for receiver in "abcd":
            assert sum(1 for it, _ in self.busy if it == receiver) <= 5


TestFairness = Fairness.TestCase


@given(st.lists(RECEIVERS, max_size=30))
def test_unknown_receivers_never_take_more_than_their_common_share(receivers: list[str]) -> None:
    """However many receivers nobody knows, places are left for those that answer."""
    slots = Slots(cautious_slot_count=4)
    for receiver in receivers:
        plan = _plan(slots)
        if min(plan.cautious_max, plan.free.get(receiver, plan.free_default)) > 0:
            slots.take(receiver, 0.0)
    assert slots.busy_count <= 4
