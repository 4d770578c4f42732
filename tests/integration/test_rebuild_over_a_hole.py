"""A rebuild that meets a hole in the log ends there; the live read models are behind it, and go on."""

from pathlib import Path

import apsw
import pytest

from events.sqlite.records import base
from runtime.rebuild_progress import RebuildProgress
from stores.groups import SERVING
from tests.integration.in_process import opened, populate


@pytest.mark.parametrize("offset", [0, 3])
async def test_a_rebuild_over_a_hole_fails_with_its_position_and_the_live_read_models_go_on(
    tmp_path: Path, offset: int
) -> None:
    async with opened(tmp_path, partitions=1) as (system, views):
        await populate(system, people=5, tweets=10)
        await views.project()
        before = views.views.generations()
        connection = apsw.Connection(str(tmp_path / "log.db"))
        connection.execute("DELETE FROM records WHERE position=?", (base(("tweets", 0)) + offset,))
        connection.close()
        told: list[RebuildProgress] = []
        views.projecting.on_progress = told.append
        await views.projecting.rebuild(["tweets"])
        await views.project()
        [*_, last] = told
        assert last.state == "failed"
        assert f"tweets-0@{offset} is missing" in last.detail
        assert views.views.generations() == before
        assert not views.projecting.rebuilding
        await populate(system, seed=2, people=5, tweets=10)
        await views.project()
        assert views.projecting.positions(SERVING).covers(await system.log.ends())
