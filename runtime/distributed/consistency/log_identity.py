"""Checks that each store's read models were made from the log in Kafka, and that their rows are present.

Kafka has no identity that a backup keeps and another cluster lacks, so the ids of events serve as one. Each sink stores
the id of the event just before its positions (`Sink.marks`); reading one record of each partition shows whether that
event is still there. A group that has read nothing fits any log. Home timelines store no event ids: only their
positions are compared with the log's ends, and `timelines` in the same keyspace identifies the log.

A store may have its positions and lack rows (a truncated table), so the rows of the newest tweets are looked up, too.
"""

from __future__ import annotations

import asyncio

from events.fitting import DoesNotFit, Marks, conflict
from events.ids import to_bytes
from events.log import LogUnavailable, Positions
from events.tweets import TweetDeleted, TweetPosted
from runtime.distributed.consistency.decision_state import ids_before
from runtime.distributed.engines import Engines
from runtime.distributed.models import groups
from runtime.distributed.roles.hosted_fan_out import fan_out_group
from runtime.distributed.roles.readiness import fitting_parts
from runtime.readiness import Part
from runtime.telemetry import logger
from stores.cassandra.sink import CassandraSink
from stores.cassandra.user_timelines import TIMELINES as USER_TIMELINES
from stores.groups import COUNTS, HOME, SEARCH, STREAMS, TIMELINES, TRENDS
from stores.postgres.sink import PostgresSink
from stores.redis.counts import RedisCounts
from stores.sink import StoreRefused, StoreUnavailable

EVERY_S = 60.0
_NEWEST = 20
"""The number of records of each partition of `tweets` whose rows are looked up."""


async def marks_of(engines: Engines) -> dict[str, Marks]:
    """Return the positions of each group, with the id of the event just before each. Raises StoreUnavailable."""
    found: dict[str, Marks] = {}
    for name in (TIMELINES, STREAMS):
        found[name] = await CassandraSink(engines.cassandra, engines.generations.address.keyspace, name).marks()
    settings, ends = engines.settings, engines.log.ends
    counting = groups.counts(
        engines.redis, settings.topic_prefix, settings.topic_partitions, ends, keys=engines.generations.keys
    )
    found[COUNTS] = await counting.sink.marks()
    for name in (SEARCH, TRENDS):
        sink = PostgresSink(engines.generations.database, name, [])
        try:
            found[name] = await sink.marks()
        finally:
            await sink.close()
    counts = RedisCounts(engines.redis, engines.generations.keys)
    home = fan_out_group(engines.cassandra, engines.generations.address.keyspace, counts, settings.topic_partitions)
    found[HOME] = await home.sink.marks()
    return found


async def misfits(engines: Engines) -> dict[str, str]:
    """Return the groups whose read models were made from another log or from lost records, each with a sentence.

    Raises LogUnavailable, StoreUnavailable.
    """
    found: dict[str, str] = {}
    for name, marks in (await marks_of(engines)).items():
        ends = await engines.log.ends()
        known = {place: mark.next for place, mark in marks.items() if mark.last and mark.next <= ends.get(place, 0)}
        against = conflict(marks, ends, await ids_before(engines.log, known))
        if against:
            found[name] = (
                f"{name} does not fit the log: {against}. If Kafka was restored or exchanged,"
                f" `minitwitter rebuild {name}` makes it from the log that is there now"
            )
    return found


async def check_fit(engines: Engines) -> None:
    """Raise DoesNotFit if a group's read models were made from another log; or LogUnavailable, StoreUnavailable."""
    found = await misfits(engines)
    if found:
        raise DoesNotFit("; ".join(found.values()))


async def lacking_rows(engines: Engines) -> str:
    """Return which rows of the newest tweets are missing; "" if none is. About 50 reads."""
    marks = (await marks_of(engines))[TIMELINES]
    after = Positions(await engines.log.ends())
    places = {place: mark.next for place, mark in marks.items() if place.topic == "tweets" and mark.next}
    after |= {place: max(0, next_ - _NEWEST) for place, next_ in places.items()}
    records = [
        record
        for record in await engines.log.read(after, _NEWEST * len(places), ("tweets",))
        if record.offset < places.get(record.place, 0)
    ]
    gone = {record.event.tweet for record in records if isinstance(record.event, TweetDeleted)}
    keyspace = engines.generations.address.keyspace
    for record in records:
        event = record.event
        if not isinstance(event, TweetPosted) or event.tweet in gone:
            continue
        tweet, author = to_bytes(event.tweet), to_bytes(event.author)
        bucket = USER_TIMELINES.bucket(event.tweet)
        for table, where, values in (
            ("tweets", "tweet=?", (tweet,)),
            ("user_timelines", "account=? AND bucket=? AND activity=?", (author, bucket, tweet)),
        ):
            if not await engines.cassandra.read(f"SELECT * FROM {keyspace}.{table} WHERE {where} LIMIT 1", values):
                return (
                    f"{table} lacks tweet {event.tweet}, which {record.place}@{record.offset} is about;"
                    " `minitwitter verify` says what else is missing, `minitwitter rebuild timelines` makes it anew"
                )
    return ""


class LogIdentityWatch:
    """Checks from time to time that the stores of a role fit the log and have their rows."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._unfit = ""
        self._lacks = ""

    def parts(self, *, reads: bool = False) -> list[Part]:
        """The parts that do not fit, for /readyz. `reads`: the process only reads."""
        return fitting_parts(self._unfit, self._lacks, reads=reads)

    async def run(self, every_s: float = EVERY_S) -> None:
        """Check at once, and periodically until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:  # a failed check does not stop the serving
                logger("minitwitter.log_identity").warning("whether all fits the log is not known", detail=repr(error))
            await asyncio.sleep(every_s)

    async def look(self) -> None:
        """Check once; unreachable engines are skipped."""
        try:
            self._unfit = "; ".join((await misfits(self._engines)).values())
            # The row of a tweet that was just deleted is gone before its group's position advances.
            self._lacks = await lacking_rows(self._engines) and await lacking_rows(self._engines)
        except (LogUnavailable, StoreUnavailable, StoreRefused):
            return
