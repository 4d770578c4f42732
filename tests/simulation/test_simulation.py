"""The laws hold in seeded runs of the whole system, and a seed is the same run wherever it is run (law 10)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .__main__ import main
from .world import simulate

ROOT = Path(__file__).parents[2]
SEEDS = 100
AT_ONCE = 10


@pytest.mark.parametrize(
    "first",
    [pytest.param(first, marks=[pytest.mark.slow] if first else []) for first in range(0, SEEDS, AT_ONCE)],
)
def test_every_law_holds_for_these_seeds(first: int) -> None:
    """A failing seed is named with the command that replays it."""
    assert main(["--first", str(first), "--seeds", str(AT_ONCE)]) == 0


def test_a_seed_makes_the_same_log_again() -> None:
    assert [simulate(seed).digest for seed in (3, 4)] == [simulate(seed).digest for seed in (3, 4)]


@pytest.mark.slow
def test_a_seed_makes_the_same_log_in_another_process() -> None:
    """Nothing depends on the order of sets, which differs from process to process."""

    def told(hash_seed: str) -> str:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "tests.simulation", "--first", "7", "--seeds", "2"]
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        return run.stdout.partition("digest ")[2]

    assert told("1") == told("2") != ""


def test_different_seeds_make_different_logs() -> None:
    assert simulate(5).digest != simulate(6).digest


@pytest.mark.slow
def test_the_runs_meet_what_they_are_for() -> None:
    """Crashes, power cuts, copies, refused commits, dead letters, rebuilds: without them it would prove little."""
    happened = sum((simulate(seed).happened for seed in range(8)), start=simulate(8).happened)
    for accident in (
        "crashes", "power cuts", "copies", "unknown outcomes", "refused by the disk", "views refused", "replays",
        "rebuilds", "set aside", "held back", "walks", "reads", "import 201", "edit 412", "post 410", "post 404",
        "block 204",
    ):  # fmt: skip
        assert happened[accident] > 0, accident


def test_a_failing_seed_is_printed_with_the_command_that_replays_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "20", "--mutation", "acknowledged_before_commit"]) == 1
    told = capsys.readouterr().out
    assert "replay it with: python -m tests.simulation --seed " in told
    assert " --mutation acknowledged_before_commit" in told
