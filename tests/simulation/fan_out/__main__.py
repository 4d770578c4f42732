"""`python -m tests.simulation.fan_out --seeds N [--seed S] [--bug NAME]`: many seeds, or one again."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext

from ..laws import Violation
from . import bugs_remembering  # noqa: F401  # they are planted like the others
from .bugs import BUGS
from .world import simulate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds; 1 where a feed is wrong in one of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.fan_out", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many, from --first on")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--bug", choices=sorted(BUGS), help="plant a bug first")
    options = parser.parse_args(arguments)
    seeds = range(options.first, options.first + options.seeds) if options.seed is None else (options.seed,)
    happened: Counter[str] = Counter()
    started = time.perf_counter()
    digest = ""
    for seed in seeds:
        with BUGS[options.bug]() if options.bug else nullcontext():
            try:
                result = simulate(seed)
            except Violation as violation:
                planted = f" --bug {options.bug}" if options.bug else ""
                print(f"seed {seed}: {violation}")
                print(f"replay it with: python -m tests.simulation.fan_out --seed {seed}{planted}")
                return 1
        happened += result.happened
        digest = result.digest
    seconds = time.perf_counter() - started
    print(f"{len(seeds)} seeds held the definition in {seconds:.1f} s; the last store has the digest {digest}")
    for what, times in sorted(happened.items()):
        print(f"  {times:8,} {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
