"""All figures of the distributed profile, each beside the raw clients' figure of the same run.

`python -m bench.distributed [--only NAME ...] [--seconds N] [--json FILE] [--engine NAME=URL ...]`. Engines are started
for the run, unless all are given. Clients, processes and engines share the cores, so compare runs by ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from ..__main__ import as_table
from ..figures import Figure
from . import counting, deliveries, doubled, feed, freshness, posting, rebuild
from .bench import FULL_S, Bench
from .engines import Engines, own_engines

PARTS: dict[str, Callable[[Bench], AsyncIterator[Figure]]] = {
    "posting": posting.measure,
    "freshness": freshness.measure,
    "feed": feed.measure,
    "deliveries": deliveries.measure,
    "counters": counting.measure,
    "rebuild": rebuild.measure,
    "doubled": doubled.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table and JSON; the exit code is 1 if a full run misses a target."""
    parser = argparse.ArgumentParser(prog="python -m bench.distributed", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="the parts to run")
    parser.add_argument("--seconds", type=float, default=FULL_S, help="for each measurement; fewer means less data too")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--engine", nargs="+", default=(), metavar="NAME=URL", help="engines that are there already")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # otherwise engines and processes would outlive it
    urls = dict(engine.split("=", 1) for engine in given.engine)
    directory = Path(tempfile.mkdtemp(prefix="minitwitter-bench-"))
    try:
        with nullcontext(Engines(**urls)) if urls else own_engines() as engines:
            figures = asyncio.run(run(Bench(engines, directory, given.seconds), given.only))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    Console(width=150).print(as_table(figures))
    document = {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "seconds": given.seconds,
        "figures": [figure.as_dict() for figure in figures],
    }
    print(json.dumps(document, indent=2))
    if given.json:
        given.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0 if given.seconds < FULL_S or all(figure.met for figure in figures) else 1


async def run(bench: Bench, parts: Sequence[str]) -> list[Figure]:
    """Yield the figures of some parts."""
    console = Console(stderr=True)
    figures: list[Figure] = []
    try:
        for name in parts:
            console.print(f"measuring {name} ...")
            async for figure in PARTS[name](bench):
                figures.append(figure)
                console.print(f"  {figure.name}: {figure.value:,.1f} {figure.unit}")
    finally:
        await bench.close()
    return figures


if __name__ == "__main__":
    sys.exit(main())
