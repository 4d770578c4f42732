"""Figures of rebuilding: every read model from zero, with and without scoring."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvloop

from events.log import Positions, positions_after
from events.tweets import TweetPosted
from runtime.child_process import cores
from runtime.embedded.fill import Filler
from runtime.embedded.log_db import open_reader
from runtime.embedded.models import ALL_TABLES, GROUPS
from runtime.embedded.processors import Processors
from runtime.embedded.projector_loop import Projecting
from runtime.gc_tuning import freeze_startup_objects
from runtime.rebuild_progress import RebuildProgress
from stores.sqlite.sink import SqliteSink
from stores.sqlite.views import Views
from streams.scoring import Scorer

from .community import Community
from .figures import Figure

EVENTS = 500_000
BATCH = 5000


def measure(place: Path, scale: float) -> Iterator[Figure]:
    """Rebuild from 500,000 events: 60 % likes, 20 % tweets, 15 % follows, 5 % retweets."""
    data = place / "data"
    events = int(EVENTS * scale)
    community = Community(data)
    uvloop.run(
        community.fill(
            accounts=5000,
            tweets=int(events * 0.2),
            likes=int(events * 0.6),
            follows=int(events * 0.15),
            retweets=int(events * 0.05),
        )
    )
    read = uvloop.run(_read(data))
    scored = uvloop.run(_score(data))
    everything = [tables.model for tables in ALL_TABLES]
    with_scoring = uvloop.run(_rebuild(data, place / "with.db", everything))
    without = uvloop.run(_rebuild(data, place / "without.db", [model for model in everything if model != "sentiment"]))
    yield Figure(
        "rebuild of everything", with_scoring, "events/s", 25_000, limit=scored * 5, limit_name="VADER alone, of these"
    )
    yield Figure("rebuild without scoring", without, "events/s", 40_000, limit=read, limit_name="reading and decoding")


async def _read(data: Path) -> float:
    reader = open_reader(data)
    positions, events = Positions(), 0
    started = time.perf_counter()
    while records := await reader.read(positions, BATCH):
        positions = positions_after(records, positions)
        events += len(records)
    return events / (time.perf_counter() - started)


async def _score(data: Path) -> float:
    reader, scorer = open_reader(data), Scorer()
    records = await reader.read(Positions(), 20_000, ("tweets",))
    posted = [record.event for record in records if isinstance(record.event, TweetPosted)]
    started = time.perf_counter()
    for event in posted:
        scorer.score(event.text, event.entities.mentions)
    return len(posted) / (time.perf_counter() - started)


async def _rebuild(data: Path, path: Path, models: Sequence[str]) -> float:
    """Run the steps of `minitwitter rebuild` before the switch, in as many processes, beside idle live groups.

    Without scoring means without the read model `sentiment`: only it needs scores.
    """
    reader = open_reader(data)
    ends = await reader.ends()
    views = Views(path, ALL_TABLES)
    for group in GROUPS:
        sink = SqliteSink(views, group)
        await sink.begin()
        await sink.commit(ends, {})
    processors = Processors(views, reader.table.codec.sealer, 1)
    filler = Filler(data, data / "master.key", cores())
    projecting = Projecting(views, processors, reader, filler=filler)
    await projecting.start()
    freeze_startup_objects()
    left = set(models)

    def note(progress: RebuildProgress) -> None:
        assert progress.state != "failed", progress.detail
        if progress.state == "comparing":
            left.difference_update(progress.models)

    projecting.on_progress = note
    started = time.perf_counter()
    await projecting.rebuild(models)
    while left:
        await projecting.turn()
    elapsed = time.perf_counter() - started
    views.connection.close()
    return sum(ends.values()) / elapsed
