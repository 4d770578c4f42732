"""The decision state beside the log: whether it is made from the log that Kafka has, and folding it from that log.

A Kafka that lost the end of its log, or that got an older disk, has fewer events than PostgreSQL decided on, or other
events. Commands would be decided on facts that no read model has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from command_api.postgres.rebuild import SOURCES, OutboxNotEmpty, marks, rebuild_decision_state
from events.fitting import DoesNotFit, conflict
from events.kafka.log import KafkaLogReader
from events.log import LogUnavailable, Positions, TopicPartition
from events.postgres.connections import Pool


async def ids_before(reader: KafkaLogReader, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, str]:
    """The id of the event just before each position, of those that have one. Raises LogUnavailable."""
    found: dict[TopicPartition, str] = {}
    wanted = {place: next_ - 1 for place, next_ in positions.items() if next_ > 0}
    topics = frozenset(place.topic for place in wanted)
    after = Positions(await reader.ends()) | wanted
    while not found.keys() >= wanted.keys():
        records = await reader.read_stored(after, len(after), topics)  # one of each partition at least
        if not records:
            break
        for record in records:  # also those written meanwhile
            place = record.place
            after[place] = record.offset + 1
            if place in wanted and record.offset >= wanted[place]:
                found.setdefault(place, record.about.id if record.offset == wanted[place] else "")
    return found


async def check_decisions(reader: KafkaLogReader, pool: Pool, partitions: int) -> None:
    """Raise DoesNotFit where the decision state knows more than the log has, or other events; or LogUnavailable.

    The newest event is compared in each partition to which something was published within an hour, and the end in all.
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
    """Forget the decision state and fold it from the log that is there; how many events were folded.

    No process decides meanwhile; those that run start again. Raises LogUnavailable, also where rows of the outbox
    have to be published before, and what reading the log raises.
    """

    async def ends() -> Positions:
        found = Positions((place, end) for place, end in (await reader.ends()).items() if place.topic in SOURCES)
        begin(sum(found.values()))
        return found

    try:
        return await rebuild_decision_state(reader, pool, email_key, ends, advance)
    except OutboxNotEmpty as error:
        raise LogUnavailable(str(error)) from error
