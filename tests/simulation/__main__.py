"""`python -m tests.simulation --seeds N [--seed S] [--mutation NAME]`: many seeds, or one again."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext

from .laws import Violation
from .mutations import MUTATIONS
from .world import simulate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds; 1 where one of them breaks a law."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many, from --first on")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--mutation", choices=sorted(MUTATIONS), help="plant a bug first")
    options = parser.parse_args(arguments)
    seeds = range(options.first, options.first + options.seeds) if options.seed is None else (options.seed,)
    happened: Counter[str] = Counter()
    started = time.perf_counter()
    digest = ""
    for number, seed in enumerate(seeds, 1):
        with MUTATIONS[options.mutation]() if options.mutation else nullcontext():
            try:
                result = simulate(seed)
            except Violation as violation:
                planted = f" --mutation {options.mutation}" if options.mutation else ""
                print(f"seed {seed}: {violation}\nreplay it with: python -m tests.simulation --seed {seed}{planted}")
                return 1
        happened += result.happened
        digest = result.digest
        if sys.stderr.isatty():
            print(f"\r{number} of {len(seeds)} seeds", end="", file=sys.stderr)
    seconds = time.perf_counter() - started
    print(f"{len(seeds)} seeds held every law in {seconds:.1f} s; the last log has the digest {digest}")
    for what, times in sorted(happened.items()):
        print(f"  {times:8,} {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
