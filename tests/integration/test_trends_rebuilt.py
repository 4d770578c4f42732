"""The topic `trends` beside a rebuild of what it is derived from: derived again it says the same (law 2)."""

from __future__ import annotations

from pathlib import Path

import msgspec

from events.log import Positions
from events.trends import Trend
from runtime.embedded.system import InProcess
from stores.trend_windows import Window
from streams.trends import name_of, newest_rankings
from tests.integration.in_process import opened, populate


def kept(views: InProcess) -> dict[str, tuple[Trend, ...]]:
    """The rankings that the current generation of the read model has derived."""
    rows = views.views.connection.execute(
        "SELECT length, ends, items FROM {trend_rankings}".format(**views.views.names())
    )
    decoded = {
        name_of(Window(length, ends)): msgspec.json.decode(items, type=tuple[Trend, ...])
        for length, ends, items in rows
    }
    return {window: items for window, items in decoded.items() if items}


async def test_trends_derived_again_beside_new_events_are_what_the_topic_says(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system, seed=1)
        await views.project()
        said = newest_rankings(await system.derived_log.read(Positions(), 10_000, ("trends",)))
        assert len(said) > 10
        assert kept(views) == said

        await views.projecting.rebuild(["trends"])
        await views.turn()
        await populate(system, seed=2, people=15)
        await views.project()

        assert views.views.generation("trends") == 2
        after = newest_rankings(await system.derived_log.read(Positions(), 10_000, ("trends",)))
        assert after != said
        assert kept(views) == after
