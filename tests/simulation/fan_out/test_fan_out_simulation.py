"""Hybrid fan-out shows what the definition says, in seeded runs with everything that can happen to it."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from events.ids import AccountId
from query_api.filling import fill
from stores.user_timelines import Activity
from tests.projections.projected import projected

from .__main__ import main
from .definition import told
from .workers import finish
from .world import World, simulate

ROOT = Path(__file__).parents[3]
SEEDS = 200
AT_ONCE = 20


@pytest.mark.parametrize(
    "first",
    [pytest.param(first, marks=[pytest.mark.slow] if first else []) for first in range(0, SEEDS, AT_ONCE)],
)
def test_every_feed_is_its_definition_for_these_seeds(first: int) -> None:
    """A failing seed is named with the command that replays it."""
    assert main(["--first", str(first), "--seeds", str(AT_ONCE)]) == 0


@pytest.mark.parametrize("seed", range(0, 24, 4))
def test_pages_of_either_profile_follow_on_one_another(seed: int) -> None:
    """The embedded feed goes on from the cursors of the pushed one, and that from the embedded one's."""
    world = World(seed)
    world.run()
    embedded = projected([world.people.community.records])
    state = told(world.log.everything())
    feeds = (world.feed(state), embedded.readers.home_feed)
    for viewer in world.people.community.accounts:

        async def shown(activities: list[Activity], viewer: AccountId = viewer) -> list[Activity]:
            return [activity for activity in activities if state.sees(viewer, activity)]

        for first in (0, 1):
            found, before, turn = [], None, first
            while turn == first or before is not None:
                page = finish(fill(partial(feeds[turn % 2].page, viewer), shown, before, 3))
                found += page.items
                before = page.next
                turn += 1
            assert found == state.feed(viewer)
    embedded.close()


def test_a_seed_is_the_same_run_again() -> None:
    assert [simulate(seed).digest for seed in (3, 4)] == [simulate(seed).digest for seed in (3, 4)]


@pytest.mark.slow
def test_a_seed_is_the_same_run_in_another_process() -> None:
    """Nothing depends on the order of sets, which differs from process to process."""

    def digest(hash_seed: str) -> str:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "tests.simulation.fan_out", "--first", "7", "--seeds", "2"]
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        return run.stdout.partition("digest ")[2]

    assert digest("1") == digest("2") != ""


def test_different_seeds_are_different_runs() -> None:
    assert simulate(5).digest != simulate(6).digest


@pytest.mark.slow
def test_the_runs_meet_what_they_are_for() -> None:
    """Crashes, changes of tiers, lost stores and reads in the middle of it: without them little would be proven."""
    happened = sum((simulate(seed).happened for seed in range(60)), start=simulate(60).happened)
    for accident in (
        "crash", "rebalance", "copy", "lose", "go_back", "hold", "wait", "store unavailable", "checks between batches",
        "pages read meanwhile", "from pushed to leaving", "from leaving to pushed", "from leaving to pulled",
        "from pulled to joining", "from joining to pushed", "from joining to pulled", "viewers remembered",
        "rows remembered",
    ):  # fmt: skip
        assert happened[accident] > 0, accident


def test_a_failing_seed_is_printed_with_the_command_that_replays_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "20", "--bug", "follow_brings_nothing"]) == 1
    printed = capsys.readouterr().out
    assert "replay it with: python -m tests.simulation.fan_out --seed " in printed
    assert " --bug follow_brings_nothing" in printed
