"""`work projectors` doubled: two processes of a group beside one, with a store that waits 2 ms a batch."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack

from events.codec import Codec
from events.engagement import TweetLiked
from events.ids import TweetId
from events.sealing import MasterKeys, Sealer
from stores.redis.connection import connect

from ..figures import Figure
from ..served import Served
from .bench import Bench
from .installation import Installation
from .made_up import MadeUp, append
from .waiting import key_of

EVENTS = 800_000
"""More than two processes apply in the time. A short run has fewer, in proportionally smaller batches."""
ACCOUNTS = 2_000
BATCH = 50
"""Ten times smaller than usual: otherwise a batch needs more processor time than the store's wait, and there are two
cores.
"""
_JOINED_S = 60.0
_LOOK_S = 0.1
_LULL_S = 1.5
"""Longer than fetching more records takes."""
_APPLIED = "minitwitter_projector_events_total"


class LogEnded(Exception):
    """The log ended before the time was over."""


class NobodyWorks(Exception):
    """A process of the group got no partition."""


async def measure(bench: Bench) -> AsyncIterator[Figure]:
    """Measure the events a second of two processes, as a multiple of one process's."""
    async with bench.installation() as installation:
        number, batch = bench.some(EVENTS, 80_000), bench.some(BATCH)
        await _publish(installation, number)
        one = await _rate(installation, 1, number, batch, bench.seconds)
        await _forget(installation)
        two = await _rate(installation, 2, number, batch, bench.seconds)
    yield Figure(
        "two processes of projectors over one, a store that waits 2 ms a batch",
        two / one,
        "times",
        1.7,
        limit=2.0,
        limit_name=f"twice {one:,.0f} events/s",
    )


async def _publish(installation: Installation, number: int) -> None:
    codec = Codec(Sealer(MasterKeys.load(installation.directory / "master.key")))  # a like has no sealed fields
    made = MadeUp(ACCOUNTS)
    tweet = TweetId(made.ids.issue())
    actors = itertools.islice(itertools.cycle(made.accounts), number)
    likes = (TweetLiked(tweet=tweet, author=made.accounts[0], actor=actor) for actor in actors)
    await append(installation, (made.outgoing(like, codec) for like in likes))


async def _forget(installation: Installation) -> None:
    """Reset the positions, so that the next processes begin at the start."""
    redis = connect(installation.redis_url)
    await redis.delete(key_of(installation.settings.topic_prefix))
    await redis.aclose()


async def _rate(installation: Installation, processes: int, number: int, batch: int, seconds: float) -> float:
    """Return the events a second of so many processes together, once all of them work, until the time or
    the log ends.
    """
    with ExitStack() as stack:
        workers = [
            stack.enter_context(installation.module("bench.distributed.waiting", worker_batch=batch))
            for _ in range(processes)
        ]
        await _all_work(workers)
        began, before = time.perf_counter(), _applied(workers)
        advanced, applied = began, before
        while True:
            await asyncio.sleep(_LOOK_S)
            now, last, applied = time.perf_counter(), applied, _applied(workers)
            if applied > last:
                advanced = now
            elif now - advanced > _LULL_S:
                raise LogEnded(f"{number} events were too few for {seconds:g} s")
            if now - began >= seconds:
                return (applied - before) / (now - began)


async def _all_work(workers: list[Served]) -> None:
    """Wait until each of them advances."""
    deadline = time.monotonic() + _JOINED_S
    idle = {worker: worker.metric(_APPLIED) for worker in workers}
    while idle:
        if time.monotonic() > deadline:
            raise NobodyWorks(f"{len(idle)} of {len(workers)} processes have nothing to do")
        await asyncio.sleep(_LOOK_S)
        idle = {worker: before for worker, before in idle.items() if worker.metric(_APPLIED) <= before}


def _applied(workers: list[Served]) -> float:
    return sum(worker.metric(_APPLIED) for worker in workers)
