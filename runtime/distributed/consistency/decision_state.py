"""Checks that the decision state fits the log in Kafka, and rebuilds it from that log.

If Kafka lost the end of its log, or got an older disk, its events are fewer or others than those that PostgreSQL
decided on. Then commands would be decided on facts that no read model has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from command_api.postgres.rebuild import SOURCES, OutboxNotEmpty, marks, rebuild_decision_state
from events.fitting import DoesNotFit, conflict
from events.kafka.log import KafkaLogReader
from events.log import LogUnavailable, Positions, TopicPartition
from events.postgres.connections import Pool


async def ids_before(reader: KafkaLogReader, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, str]:
    """Return the id of the event just before each position that has one. Raises LogUnavailable."""
    found: dict[TopicPartition, str] = {}
    wanted = {place: next_ - 1 for place, next_ in positions.items() if next_ > 0}
    topics = frozenset(place.topic for place in wanted)
    after = Positions(await reader.ends()) | wanted
    while not found.keys() >= wanted.keys():
        records = await reader.read_stored(after, len(after), topics)  # at least one of each partition
        if not records:
            break
        for record in records:  # including those written meanwhile
            place = record.place
            after[place] = record.offset + 1
            if place in wanted and record.offset >= wanted[place]:
                found.setdefault(place, record.about.id if record.offset == wanted[place] else "")
    return found


async def check_decisions(reader: KafkaLogReader, pool: Pool, partitions: int) -> None:
    """Raise DoesNotFit if the decision state has more events than the log, or other ones; or LogUnavailable.

    Compares the ends of all partitions, and the newest event of those to which something was published in the last
    hour.
    """
    known = await marks(pool, partitions)
    ends = await reader.ends()
    at = {place: mark.next for place, mark in known.items() if mark.last and mark.next <= ends.get(place, 0)}
    against = conflict(known, ends, await ids_before(reader, at))
    if against:
        raise DoesNotFit(
            f"the decision state does not fit the log: {against}. If Kafka was restored or exchanged, `minitwitter"
            " rebuild decisions` folds the state from the log that is there now, and forgets what that log lacks;"
            " else give Kafka its log back. Nothing was changed"
        )


async def fold_decisions(
    reader: KafkaLogReader, pool: Pool, email_key: bytes, begin: Callable[[int], None], advance: Callable[[int], None]
) -> int:
    """Delete the decision state and fold it from the log; return the number of events.

    No process decides meanwhile; running processes restart. Raises LogUnavailable, also if rows of the outbox must be
    published first, and the errors of reading the log.
    """

    async def ends() -> Positions:
        found = Positions((place, end) for place, end in (await reader.ends()).items() if place.topic in SOURCES)
        begin(sum(found.values()))
        return found

    try:
        return await rebuild_decision_state(reader, pool, email_key, ends, advance)
    except OutboxNotEmpty as error:
        raise LogUnavailable(str(error)) from error
