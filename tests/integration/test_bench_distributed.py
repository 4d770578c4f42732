"""The bench of the distributed profile in its smallest form: each part gives figures, of any value.

`make campaigns` has every part.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaigns import form

pytestmark = [pytest.mark.engines, pytest.mark.slow, pytest.mark.long]

ROOT = Path(__file__).parents[2]
LONGEST_S = 600


@pytest.mark.parametrize(
    ("parts", "number"),
    form(
        [pytest.param(("posting", "counters"), 6, id="a process and a processor")],
        [
            pytest.param(("posting", "feed"), 8, id="posting and reading"),
            pytest.param(("freshness",), 4, id="what followers and writers see"),
            pytest.param(("deliveries", "counters", "rebuild", "doubled"), 13, id="stores and processors"),
        ],
    ),
)
def test_each_part_gives_figures_and_their_limits(
    tmp_path: Path, kafka: str, postgres: str, cassandra: str, redis: str, parts: tuple[str, str], number: int
) -> None:
    engines = {"kafka": kafka, "postgres": postgres, "cassandra": cassandra, "redis": redis}
    kept = tmp_path / "figures.json"
    argv = [sys.executable, "-m", "bench.distributed", "--only", *parts, "--seconds", "1", "--json", str(kept)]
    argv += ["--engine", *(f"{name}={url}" for name, url in engines.items())]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MINITWITTER_")}
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LONGEST_S)
    assert done.returncode == 0, done.stderr[-4000:]
    figures = json.loads(kept.read_text())["figures"]
    assert len(figures) == number
    assert len({figure["name"] for figure in figures}) == number
    for figure in figures:
        assert figure["value"] > 0 or figure["name"].startswith(("reads marked stale", "until every"))
        assert figure["limit"] is None or figure["limit"] > 0
