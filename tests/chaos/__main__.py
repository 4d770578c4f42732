"""`python -m tests.chaos [--minutes M] [--seed S] [--kills N]`: kill processes and engines under load."""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra.local.packages import cache_directory
from infra.local.running import Running
from tests.engines import end

from .faults import short, whole
from .world import ROLES, Outcome, World


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; the exit code is 1 if an acknowledged write is not served, or another check fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0, help="spread it over so long, at least")
    parser.add_argument("--seed", type=int, help="says who writes what, and the order of what happens")
    parser.add_argument("--brokers", type=int, default=3, help="of Kafka")
    parser.add_argument("--kills", type=int, default=5, help="of each of our processes")
    parser.add_argument("--short", action="store_true", help="what the tests run: one kill a role, one engine lost")
    parser.add_argument("--only", nargs="+", default=[], metavar="FAULT", help="just these, such as 'stall kafka'")
    options = parser.parse_args(arguments)
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="minitwitter-chaos-"))
    directory.chmod(0o755)  # PostgreSQL is another user
    places = directory / "engines", directory / "installation"
    for place in places:
        place.mkdir()
    faults = short(seed, ROLES) if options.short else whole(seed, [*ROLES], options.brokers, options.kills)
    if options.only:
        faults = [fault for fault in dict.fromkeys(faults) if str(fault) in options.only]
    try:
        world = World(places[1], Running(places[0], cache_directory()), seed, options.brokers, said)
        outcome = asyncio.run(world.run(faults, 60 * options.minutes))
    finally:
        end(places[0])
    report(outcome)
    if outcome.findings:
        print(f"what the processes wrote is in {places[1]}; again with: python -m tests.chaos --seed {seed}")
        return 1
    shutil.rmtree(directory)
    return 0


def said(line: str) -> None:
    """Print without buffering, because a run takes minutes."""
    print(line, flush=True)


def report(outcome: Outcome) -> None:
    """Print the result of a run."""
    for what, times in sorted(outcome.happened.items()):
        print(f"  {times:8,} {what}")
    for ended in outcome.ended:
        print(ended)
    for finding in outcome.findings:
        print(f"FOUND: {finding}")
    print(f"{outcome.acknowledged:,} acknowledged, {len(outcome.findings)} findings")


if __name__ == "__main__":
    sys.exit(main())
