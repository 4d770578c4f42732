"""The simulation finds every bug that is planted: what it cannot find it does not prove."""

from collections.abc import Iterable

import pytest

from ..laws import Violation
from . import bugs_remembering  # noqa: F401  # they are planted like the others
from .bugs import BUGS, RARE
from .world import simulate

MOST_SEEDS = 200
"""Most bugs are found by the first seeds, the rarest by one in twenty-five."""
ASKED_FOR = (
    "reads_the_others_fact_before_its_own_is_written",
    "unfollow_deletes_rows",
    "timestamps_are_plain_milliseconds",
    "guard_is_by_batch",
    "resumes_from_the_groups_offset",
)
"""The dangers that fan-out was designed around: looked for on every edit, the others in the whole run of tests."""


def live_through(seeds: Iterable[int]) -> None:
    for seed in seeds:
        simulate(seed)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in ASKED_FOR else [pytest.mark.slow]) for name in sorted(BUGS.keys() - RARE)],
)
def test_the_simulation_finds_the_planted_bug(name: str) -> None:
    with BUGS[name](), pytest.raises(Violation) as found:
        live_through(range(MOST_SEEDS))
    # The bug has to be noticed by what it does, and not because the code that plants it is out of date.
    assert found.value.__cause__ is None, found.value
