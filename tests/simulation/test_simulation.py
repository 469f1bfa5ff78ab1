"""Random calls by the thousand: 2,000 with every test run, 50,000 with the long ones."""

from pathlib import Path

import pytest

from maskline.core.call.state import Phase
from tests.simulation.episode import Episode, make_template
from tests.simulation.invariants import check

EPISODE_COUNT = 50  # of 40 calls each
EPISODE_COUNT_LONG = 1_250
REPLAY_EVERY = 10


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("template")
    make_template(directory)
    return directory


def simulate(seed: int, template: Path, directory: Path) -> str:
    """Run an episode, check it, and give its fingerprint."""
    directory.mkdir()
    episode = Episode(seed, template, directory)
    try:
        episode.run()
        check(episode)
        return episode.digest()
    finally:
        episode.close()


@pytest.mark.parametrize("seed", range(EPISODE_COUNT))
def test_random_calls_keep_the_invariants(seed: int, template: Path, tmp_path: Path) -> None:
    """Under loss, reordering, crashes of both ends and clock jumps I1 to I8 hold, and the seed tells it all."""
    digest = simulate(seed, template, tmp_path / "first")
    if seed % REPLAY_EVERY == 0:
        assert simulate(seed, template, tmp_path / "again") == digest


def test_episodes_lead_everywhere(template: Path, tmp_path: Path) -> None:
    """A dozen seeds are enough for every phase in which a call waits for somebody: none of it is checked in vain."""
    seen: set[Phase] = set()
    for seed in range(12):
        directory = tmp_path / f"{seed}"
        directory.mkdir()
        episode = Episode(seed, template, directory)
        episode.run()
        seen |= episode.watcher.phases
        episode.close()
    assert seen >= set(Phase) - {Phase.CLAIMING, Phase.ENDED}  # in which there is no relay to look at


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_fifty_thousand_calls(template: Path, tmp_path: Path) -> None:
    """The same with counts that meet what is rare; every seed in ten is replayed."""
    for seed in range(EPISODE_COUNT, EPISODE_COUNT + EPISODE_COUNT_LONG):
        digest = simulate(seed, template, tmp_path / f"{seed}")
        if seed % REPLAY_EVERY == 0:
            assert simulate(seed, template, tmp_path / f"{seed}-again") == digest
