"""All figures of the embedded profile: `python -m bench [--json FILE] [--only NAME ...] [--short]`.

Client and server share the cores of the machine, so compare runs by the ratio of figure and limit.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from . import exporting, rebuilding, serving
from .figures import Figure


def main() -> None:
    """Measure, print a table, write JSON; exit with 1 if a figure misses its target."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--only", nargs="*", help="parts to run: serving, rebuild, export, search, import")
    parser.add_argument("--short", action="store_true", help="a tenth of the data and time: to see that it works")
    given = parser.parse_args()
    parts = {
        "serving": serving.measure,
        "rebuild": rebuilding.measure,
        "export": exporting.measure,
        "search": serving.measure_search,
        "import": serving.measure_import,
    }
    console = Console(stderr=True)
    figures: list[Figure] = []
    for name, measure in parts.items():
        if given.only and name not in given.only:
            continue
        console.print(f"measuring {name} ...")
        place = Path(tempfile.mkdtemp(prefix="bench-", dir=var()))
        try:
            for figure in measure(place, 0.1 if given.short else 1.0):
                figures.append(figure)
                console.print(f"  {figure.name}: {figure.value:,.1f} {figure.unit}")
        finally:
            shutil.rmtree(place, ignore_errors=True)
    Console().print(as_table(figures))
    document = {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "figures": [figure.as_dict() for figure in figures],
    }
    print(json.dumps(document, indent=2))
    if given.json:
        given.json.write_text(json.dumps(document, indent=2) + "\n")
    sys.exit(0 if given.short or all(figure.met for figure in figures) else 1)


def var() -> Path:
    """Return a directory for data: on the disk that a server would use, if there is room."""
    place = Path("var")
    place.mkdir(exist_ok=True)
    return place


def as_table(figures: list[Figure]) -> Table:
    """Format the figures for people."""
    table = Table("figure", "measured", "target", "limit", "of the limit", "")
    for f in figures:
        table.add_row(
            f.name,
            f"{f.value:,.1f} {f.unit}",
            f"{'≥' if f.more_is_better else '≤'} {f.target:,g} {f.unit}",
            "" if f.limit is None else f"{f.limit:,.1f} {f.limit_unit or f.unit} ({f.limit_name})",
            "" if f.ratio is None else f"{f.ratio:.0%}",
            "ok" if f.met else "missed",
        )
    return table


if __name__ == "__main__":
    main()
