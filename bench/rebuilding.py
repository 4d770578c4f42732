"""Figures of rebuilding: every read model from zero, with and without scoring."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from events.log import Positions, positions_after
from events.tweets import TweetPosted
from runtime.embedded import models
from runtime.embedded.generations import Generations
from runtime.embedded.log_db import open_reader
from runtime.embedded.models import ALL_TABLES, GROUPS
from runtime.embedded.processors import Processors
from runtime.processor_group import Runner
from stores.sqlite.views import Views
from streams.scoring import Score, Scorer

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
    with_scoring = uvloop.run(_rebuild(data, place / "with.db"))
    scorer, models._scorer = models._scorer, lambda: _Constant()  # type: ignore[assignment]
    try:
        without = uvloop.run(_rebuild(data, place / "without.db"))
    finally:
        models._scorer = scorer
    yield Figure(
        "rebuild of everything", with_scoring, "events/s", 20_000, limit=scored * 5, limit_name="VADER alone, of these"
    )
    yield Figure("rebuild without scoring", without, "events/s", 40_000, limit=read, limit_name="reading and decoding")


class _Constant(Scorer):
    """What scoring costs is what is missing with this."""

    def score(self, text: str, mentions: object) -> Score:
        """Neutral."""
        return Score("neutral", 0.0)


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


async def _rebuild(data: Path, path: Path) -> float:
    """What `minitwitter rebuild` does with all read models, but for giving way to the live ones."""
    reader = open_reader(data)
    views = Views(path, ALL_TABLES)
    processors = Processors(views, reader.table.codec.sealer, 1)
    generations = Generations(views)
    ends = await reader.ends()
    started = time.perf_counter()
    for group, members in GROUPS.items():
        fresh, consumers = generations.begin([member.tables.model for member in members])
        runner = Runner(processors.rebuilt(group, fresh, consumers), reader, BATCH)
        await runner.start()
        await runner.catch_up()
        assert runner.positions == ends
        generations.switch(fresh, consumers, group)
    elapsed = time.perf_counter() - started
    views.connection.close()
    return sum(ends.values()) / elapsed
