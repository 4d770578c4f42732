"""`minitwitter dead-letters` in the distributed profile: reads the letters in PostgreSQL, and sends requests to the
workers.

Only the worker that has the partition may apply a record again, in its order. So a retry is stored beside the letter,
and the command waits for the worker. A discard is an event, too, so that rebuilds skip the record.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from events.codec import Codec
from events.event import Envelope
from events.ids import EventId, HybridClock
from events.log import New
from events.operations import DeadLetterDiscarded
from events.publishing import outgoing
from events.sealing import Sealer
from runtime.dead_letters import Choice, Mended, NothingToDiscard
from runtime.distributed.consistency.position_sources import sources
from runtime.distributed.decision_database import master_keys
from runtime.distributed.kafka_clients import ACK_S, publisher
from runtime.distributed.models.catalogue import STORES
from runtime.distributed.models.generations import Generations
from runtime.distributed.settings import DistributedSettings
from runtime.quantities import counted
from runtime.settings import Settings
from runtime.unreadable_records import Standing
from stores.cassandra.session import CassandraSession
from stores.dead_letters import DeadLetter, all_letters
from stores.postgres.dead_letters import Asked, PostgresDeadLetters, pool_of
from stores.postgres.pointers import Pointers
from stores.redis.connection import connect
from stores.sink import StoreUnavailable

WAIT_S = 30.0
"""Seconds to wait for the workers, which look for requests once a second."""
_LOOK_S = 0.2
_AT_ONCE = 500
"""The number of discards that are published together."""

Publish = Callable[[Sequence[New]], Awaitable[object]]


class WorkersSilent(StoreUnavailable):
    """No worker has done the request: none has the partition, or the group's store is unreachable."""


class LettersOfGroups:
    """The dead letters of all live groups. `publish` appends to the log; `ids` issues the ids of these events."""

    def __init__(
        self, groups: Mapping[str, PostgresDeadLetters], publish: Publish, ids: HybridClock, *, wait_s: float = WAIT_S
    ) -> None:
        self._groups = groups
        self._publish = publish
        self._ids = ids
        self._wait_s = wait_s

    async def list(self, choice: Choice) -> list[DeadLetter]:
        """Return the chosen letters, by group and position. Raises StoreUnavailable."""
        return [letter for name in sorted(self._groups) for letter in choice.of(await all_letters(self._groups[name]))]

    async def retry(self, choice: Choice) -> Mended:
        """Request a retry of letters, and wait for it. Raises WorkersSilent, StoreUnavailable."""
        chosen = await self.list(choice)
        left = await self._have("retry", chosen)
        return Mended(applied=len(chosen) - left, left=left)

    async def discard(self, choice: Choice) -> Mended:
        """Discard records, first in the log; the records held back behind them are applied.

        A letter that is only held back is discarded if its position is named. A record without a letter, which stops a
        rebuild, is discarded if its group is named, too. Raises NothingToDiscard, WorkersSilent, StoreUnavailable,
        LogUnavailable.
        """
        chosen = choice.given_up(await self.list(choice))
        if not chosen and not choice.position:
            raise NothingToDiscard("there are no such dead letters")
        if not chosen and choice.group not in self._groups:
            raise NothingToDiscard(
                f"{choice.position} is no dead letter; to have rebuilds skip it all the same, say --group"
                f" {' or --group '.join(sorted(self._groups))}"
            )
        of_no_letter = DeadLetterDiscarded(position=choice.position, group=choice.group, type="")
        await self._publish([self._new(event) for event in map(_discarded, chosen)] or [self._new(of_no_letter)])
        left = await self._have("discard", chosen)
        return Mended(discarded=len(chosen) - left, left=left)

    async def give_up(self, discards: Sequence[DeadLetterDiscarded]) -> None:
        """Discard these records, whether or not they are dead letters, without waiting for the workers.

        A worker drops the letters within a second; a group that has stopped continues when its worker is restarted.
        Raises StoreUnavailable, LogUnavailable.
        """
        for first in range(0, len(discards), _AT_ONCE):
            await self._publish([self._new(event) for event in discards[first : first + _AT_ONCE]])
        given_up = {(event.group, event.position) for event in discards}
        letters = [letter for letter in await self.list(Choice()) if (letter.group, letter.position) in given_up]
        await self._ask("discard", letters)

    def _new(self, event: DeadLetterDiscarded) -> New:
        return New(event, Envelope(EventId(self._ids.issue()), self._ids.now()))

    async def _have(self, what: Asked, chosen: Sequence[DeadLetter]) -> int:
        """Store a request with letters, and wait until it was tried; return how many letters are left."""
        await self._ask(what, chosen)
        deadline = time.monotonic() + self._wait_s
        while waiting := await self._waiting():
            if time.monotonic() > deadline:
                wait = counted(waiting, "dead letter waits", "dead letters wait")
                raise WorkersSilent(
                    f"{wait}; the workers of the partitions will do it: start `minitwitter work"
                    " projectors` and `minitwitter work streams`, and see that they reach their stores"
                )
            await asyncio.sleep(_LOOK_S)
        places = {(letter.group, letter.place, letter.offset) for letter in chosen}
        return sum((letter.group, letter.place, letter.offset) in places for letter in await self.list(Choice()))

    async def _ask(self, what: Asked, chosen: Sequence[DeadLetter]) -> None:
        for name, letters in self._groups.items():
            await letters.ask(what, [letter for letter in chosen if letter.group == name])

    async def _waiting(self) -> int:
        return sum([len(await letters.asked()) for letters in self._groups.values()])


def _discarded(letter: DeadLetter) -> DeadLetterDiscarded:
    return DeadLetterDiscarded(position=letter.position, group=letter.group, type=letter.type, event=letter.event_id)


async def standings_of(settings: Settings, group: str = "") -> dict[str, Standing]:
    """Return the state of a group, or of each. Raises BadSettings, StoreUnavailable, LogUnavailable."""
    chosen = DistributedSettings.of(settings)
    async with letters_of(chosen) as desk:
        letters = await desk.list(Choice(group))
    generations = Generations.first(chosen).pointed(await Pointers(chosen.postgres).read())
    async with AsyncExitStack() as stack:
        session = await CassandraSession.connect(generations.address)
        stack.push_async_callback(session.close)
        redis = await stack.enter_async_context(aclosing(connect(chosen.redis)))
        asked = sources(session, redis, generations, chosen.topic_partitions)
        for source in asked.values():
            stack.push_async_callback(source.close)
        return {
            name: Standing(source.topics, (await source.positions())[0], Choice(name).of(letters))
            for name, source in asked.items()
            if group in ("", name)
        }


@asynccontextmanager
async def letters_of(settings: Settings) -> AsyncIterator[LettersOfGroups]:
    """Return the dead letters of an installation. Raises BadSettings, StoreUnavailable, LogUnavailable."""
    chosen = DistributedSettings.of(settings)
    generations = Generations.first(chosen).pointed(await Pointers(chosen.postgres).read())
    codec = Codec(Sealer(master_keys(chosen)))
    async with publisher(chosen, ack_s=ACK_S) as kafka, pool_of(chosen.postgres) as pool:

        async def publish(news: Sequence[New]) -> object:
            return await kafka.publish([outgoing(new, codec) for new in news])

        names = [group for groups in STORES.values() for group in groups]
        groups = {name: PostgresDeadLetters(pool, name, generations.of(name)) for name in names}
        yield LettersOfGroups(groups, publish, HybridClock())
