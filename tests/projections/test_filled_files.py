"""A rebuild fills files without the indexes that readers use, rows in runs: they have the live read models' rows."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.log import Positions, Record, positions_after
from events.sealing import MasterKeys, Sealer
from runtime.embedded.models import ALL_TABLES, GROUPS
from runtime.embedded.processors import Processors
from stores.sqlite.views import Tables, Views
from tests.community import Community
from tests.examples import at_most
from tests.histories import batched, histories, interleaved
from tests.projections.projected import projected

SEEDS = st.integers(0, 2**32).map(random.Random)
SCAN = re.compile(r"^SCAN (?!CONSTANT)\w+")
NO_INDEX_NEEDED = {"trend_clock"}
"""A table of one row."""


class Filled:
    """Read models in a file as a rebuild fills it, in memory."""

    def __init__(self) -> None:
        self.views = Views.scratch(Path(":memory:"), [tables.to_fill() for tables in ALL_TABLES])
        processors = Processors(self.views, Sealer(MasterKeys({"test": bytes(32)})), 1)
        self.groups = [
            processors.rebuilt(name, {model.name: 1 for model in models}, name) for name, models in GROUPS.items()
        ]

    async def apply(self, batches: Iterable[Sequence[Record]]) -> None:
        positions = Positions()
        for batch in batches:
            positions = positions_after(batch, positions)
            for group in self.groups:
                await group.apply(batch, positions)


def rows(views: Views, tables: Tables) -> dict[str, list[str]]:
    """The rows of each table as they are compared by verify."""
    names = views.names()
    return {
        table: sorted(map(repr, views.connection.execute(query.format(**names))))
        for table in tables.plain()
        if (query := tables.digests.get(table, f"SELECT * FROM {{{table}}}")) is not None
    }


@at_most(60)
@given(histories(), SEEDS)
def test_a_file_that_is_filled_has_the_rows_of_the_live_read_models(community: Community, randomness: Random) -> None:
    live, filled = projected([community.records]), Filled()
    try:
        asyncio.run(filled.apply(batched(interleaved(community.records, randomness), randomness)))
        for tables in ALL_TABLES:
            assert rows(filled.views, tables) == rows(live.views, tables), tables.model
    finally:
        live.close()
        filled.views.connection.close()


@pytest.mark.parametrize("model", [tables.model for tables in ALL_TABLES])
def test_no_handler_scans_a_table_that_is_filled(model: str) -> None:
    filled = Filled()
    try:
        statements = [
            sql
            for group in filled.groups
            for projector in group.projectors
            if projector.model == model
            for sql in vars(vars(projector)["rows"]).values()
            if isinstance(sql, str) and sql.split()[0] in ("INSERT", "UPDATE", "DELETE", "SELECT")
            if "INTO (" not in sql  # into the full-text index, which such a file does not have
        ]
        assert statements
        for sql in statements:
            number = len(set(re.findall(r"\?\d+", sql))) or sql.count("?")
            plan = filled.views.connection.execute(f"EXPLAIN QUERY PLAN {sql}", ("",) * number).fetchall()
            steps = [str(step) for *_, step in plan]
            scans = [step for step in steps if SCAN.match(step) and not any(t in step for t in NO_INDEX_NEEDED)]
            assert scans == [], sql
    finally:
        filled.views.connection.close()
