"""The Sink port on Redis: increments of hashes, each applied once, also after redelivery in batches of other sizes.

A script changes only keys of one hash slot, so a batch is not stored atomically. Instead every slot stores its own
position in each partition beside its counters, changed by the same script, and skips events before that position. The
events are compared one by one, since a redelivered batch may have other limits. After all slots, each partition's
position is stored together with the newest ids of its entities. So after a crash in between, the same records are found
to be first copies.

A wiped or restored Redis is noticed: an epoch, which is written to all keys of state when counting begins, is gone, or
a slot or partition is not where this sink left it. A batch costs two round trips, with a script for each slot and for
each partition that moved.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any
from zlib import crc32

import msgspec

from events.event import Envelope
from events.first_copies import Entity
from events.fitting import Mark, Marks
from events.ids import from_bytes, to_bytes
from events.log import Positions, Record, TopicPartition

from ..sink import UNKNOWN, SinkMoved, StoreRefused, StoreUnavailable
from .batch_scripts import COMMIT, NOTE
from .connection import Argument, Client, answering
from .retrying import AGAIN, COUNTED, RENEW

SLOTS = 16
"""A cluster can spread the counters over this many primaries. More slots cost one script each in every batch."""
_EMPTYING_S = 60
_SCANNED = 1000
_REMEMBERED = 50_000
"""Cached newest ids, 15 MB at most: a read costs as much as a change."""
_EPOCH, _NEXT, _LAST, _UNTIL, _AT = "epoch", "next", "last", "until", b"at:"


class RedisKeys:
    """The names of a sink's keys. `name` is the read model with its version: counts@1.

    Redis Cluster hashes the part in braces (the hash tag).
    """

    def __init__(self, name: str, slots: int = SLOTS) -> None:
        self.name = name
        self.all = f"{{{name}.*"
        self.state = f"{{{name}.state}}"
        self.emptying = f"{{{name}.state}}:emptying"
        self._slots = [f"{{{name}.{number}}}" for number in range(slots)]
        self.slots = [f"{slot}:held" for slot in self._slots]

    def of(self, kind: str, id_: str) -> tuple[int, str]:
        """Return the slot and the key of a counted tweet or account."""
        slot = crc32(id_.encode()) % len(self._slots)
        return slot, f"{self._slots[slot]}:{kind}:{id_}"

    def ranking(self, slot: int, field: str) -> str:
        """Return the key of a slot's ranking by one field, highest first: a sorted set."""
        return f"{self._slots[slot]}:by-{field}"

    def rankings(self, field: str) -> list[str]:
        """Return the keys of the rankings of all slots."""
        return [self.ranking(slot, field) for slot in range(len(self._slots))]

    def partition(self, place: TopicPartition | str) -> str:
        """Return the key of a partition's state."""
        return f"{{{self.name}.{place}}}:held"

    def newest(self, place: TopicPartition, epoch: str) -> str:
        """Return the key of a partition's newest ids.

        The epoch is part of it: ids of another would make new events copies.
        """
        return f"{{{self.name}.{place}}}:newest:{epoch}"


def ranked_id(member: bytes) -> str:
    """Return the id of a ranking's member.

    The member begins with the random bits, which decide between equal counts.
    """
    text = member.decode()
    return f"{text[17:]}-{text[:17]}"


async def held(client: Client, keys: RedisKeys) -> tuple[str, Positions, Positions]:
    """Return the epoch, "" if it is not the same everywhere; the partitions' positions; and the positions to reach.

    Raises StoreUnavailable. A missing partition is at 0: its newest ids are lost with it, and the slots skip what they
    have counted. A missing slot, or one behind a partition, has lost counts that exist nowhere else. A batch is stored
    in the slots before its partition. So partitions are read before slots here; otherwise a batch stored in between
    would look like a loss.
    """
    with answering():
        state: dict[bytes, bytes] = await client.hgetall(keys.state)  # type: ignore[assignment]  # it does not decode
        names = [name[len(_AT) :].decode() for name in state if name.startswith(_AT)]
        async with client.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hmget(keys.partition(name), [_EPOCH, _NEXT])
            partitions = await pipeline.execute()
        async with client.pipeline(transaction=False) as pipeline:
            for slot in keys.slots:
                pipeline.hgetall(slot)
            slots = await pipeline.execute()
    epoch = state.get(b"epoch", b"")
    positions = Positions()
    for name, (own, offset) in zip(names, partitions, strict=True):
        if own not in (None, epoch) or any(int(slot.get(name.encode(), 0)) < int(offset or 0) for slot in slots):
            epoch = b""
        positions.update(Positions.parse(f"{name}:{int(offset or 0)}"))
    if not all(slot.get(b"epoch") == epoch for slot in slots):
        epoch = b""
    return epoch.decode(), positions, Positions.parse(state.get(b"until", b"").decode())


class RedisSink:
    """The Sink port. `ends` returns the end of all counted partitions, `new_epoch` a unique name.

    `place_of` returns the partition of an entity's events. One task uses a sink at a time. Workers that share the
    partitions each have a sink on the same keys, and read its `positions` again when their partitions change.
    """

    def __init__(
        self,
        client: Client,
        keys: RedisKeys,
        *,
        place_of: Callable[[Entity], TopicPartition],
        ends: Callable[[], Awaitable[Positions]],
        new_epoch: Callable[[], str],
    ) -> None:
        self.keys = keys
        self._client = client
        self._place_of = place_of
        self._ends = ends
        self._new_epoch = new_epoch
        self._epoch = ""
        self._at = Positions()
        self._record: Record | None = None
        self._newest: dict[Entity, str] = {}
        """The newest ids as stored, valid while the store is where this sink left it."""
        self._changes: dict[int, dict[TopicPartition, list[tuple[int, str, str, int, str]]]] = {}

    async def positions(self) -> Positions:
        """Return the applied positions. If the counters are incomplete, empty them first. Raises StoreUnavailable.

        From now on the counters count as complete only when they reach the present end of the log.
        """
        ends = await self._ends()
        epoch, positions, _ = await held(self._client, self.keys)
        if not epoch:
            epoch, positions = await self._emptied(ends)
        with answering():
            await self._client.hset(self.keys.state, _UNTIL, str(ends))
        self._epoch, self._at = epoch, positions
        self._newest.clear()
        return Positions(positions)

    async def marks(self) -> Marks:
        """Return the applied positions as marks. Raises StoreUnavailable.

        It changes nothing: for incomplete counters it returns none.
        """
        epoch, positions, _ = await held(self._client, self.keys)
        if not epoch:
            return {}
        with answering():
            async with self._client.pipeline(transaction=False) as pipeline:
                for place in positions:
                    pipeline.hmget(self.keys.partition(place), [_NEXT, _LAST])
                found = await pipeline.execute()
        return {
            place: Mark(int(next_ or 0), from_bytes(last) if last else "")
            for place, (next_, last) in zip(positions, found, strict=True)
        }

    async def check(self) -> None:
        """Raise SinkMoved if the store is behind this sink's last commit. Raises StoreUnavailable.

        Called between batches, since `commit` checks by itself. It is no error if other workers have taken their
        partitions further.
        """
        if not self._epoch:
            return
        epoch, positions, _ = await held(self._client, self.keys)
        if epoch != self._epoch or not positions.covers(self._at):
            raise SinkMoved("Redis")

    async def newest(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        """Return the newest applied id of each entity. Raises StoreUnavailable."""
        await self._take_up()
        found: dict[Entity, str] = {}
        wanted: dict[TopicPartition, list[Entity]] = {}
        for entity in entities:
            known = self._newest.get(entity)
            if known is None:
                wanted.setdefault(self._place_of(entity), []).append(entity)
            else:
                found[entity] = known
        if wanted:
            with answering():
                async with self._client.pipeline(transaction=False) as pipeline:
                    for place, those in wanted.items():
                        pipeline.hmget(self.keys.newest(place, self._epoch), [key for _, key in those])
                    told = await pipeline.execute()
            for those, ids in zip(wanted.values(), told, strict=True):
                found.update({e: from_bytes(id_) for e, id_ in zip(those, ids, strict=True) if id_ is not None})
        return found

    async def begin(self) -> None:
        """Start a batch. Raises StoreUnavailable."""
        await self._take_up()
        self._changes.clear()
        self._record = None

    async def _take_up(self) -> None:
        if not self._epoch:
            await self.positions()

    def applying(self, about: Envelope, at: Record | None) -> None:
        """Set the record that causes the next changes."""
        self._record = at

    def change(self, kind: str, id_: str, field: str, change: int, *, ranked: bool = False) -> None:
        """Add `change` to a counter, once for the record that is being applied.

        A field is ranked always or never.
        """
        record = self._record
        assert record is not None, "only what stands in the log is counted: a derived event has no place"
        slot, key = self.keys.of(kind, id_)
        ranking = self.keys.ranking(slot, field) if ranked else ""
        changes = self._changes.setdefault(slot, {}).setdefault(record.place, [])
        changes.append((record.offset, key, field, change, ranking))

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Store the batch. Raises StoreUnavailable, SinkMoved, StoreRefused.

        After StoreUnavailable it may be stored again; after StoreRefused, parts of it may.
        """
        moved = {place: (self._at.get(place, 0), to) for place, to in positions.items() if to != self._at.get(place, 0)}
        if not moved:
            await self._again(newest)
            return
        fresh = [place for place in moved if place not in self._at]
        if fresh:
            with answering():
                await self._client.hset(self.keys.state, items=[part for p in fresh for part in (f"at:{p}", 1)])
        commits = [self._commit_of(slot, moved) for slot in range(len(self.keys.slots))]
        noting = self._notes(moved, newest, last)
        try:
            self._check(await COMMIT.run(self._client, commits))
        except StoreRefused:
            await self._remember_counted()
            raise
        self._check(await NOTE.run(self._client, noting))
        self._at = self._at.merged(positions)
        self._changes.clear()
        if len(self._newest) + len(newest) > _REMEMBERED:
            self._newest.clear()
        self._newest.update(newest)

    async def _remember_counted(self) -> None:
        """Store in each slot which records of this batch it has counted, since another slot refuses some."""
        calls = []
        for slot, changes in self._changes.items():
            offsets = [(str(place), sorted({change[0] for change in those})) for place, those in changes.items()]
            calls.append(([self.keys.slots[slot]], [msgspec.msgpack.encode(offsets)]))
        if calls:
            await COUNTED.run(self._client, calls)

    async def _again(self, newest: Mapping[Entity, str]) -> None:
        """Store dead letters that the positions have passed and that are retried."""
        offsets: dict[TopicPartition, list[int]] = {}
        for changes in self._changes.values():
            for place, those in changes.items():
                offsets.setdefault(place, []).extend(change[0] for change in those)
        if offsets:
            passed = {place: (min(of), max(of) + 1) for place, of in offsets.items()}
            self._check(await AGAIN.run(self._client, [self._commit_of(slot, passed) for slot in self._changes]))
        for entity, id_ in newest.items():
            place = self._place_of(entity)
            keys = [self.keys.partition(place), self.keys.newest(place, self._epoch)]
            self._check(await RENEW.run(self._client, [(keys, [self._epoch, entity[1], to_bytes(id_)])]))
        self._changes.clear()
        self._newest.update(newest)

    def _commit_of(
        self, slot: int, moved: Mapping[TopicPartition, tuple[int, int]]
    ) -> tuple[Sequence[str], Sequence[Argument]]:
        numbers: dict[str, int] = {}
        changes = self._changes.get(slot, {})
        parts: list[tuple[str, int, int, list[int | str]]] = []
        for place, (start, to) in moved.items():
            flat: list[int | str] = []
            for offset, key, field, change, ranking in changes.get(place, ()):
                number = numbers.setdefault(key, len(numbers) + 2)
                flat += (offset, number, field, change, numbers.setdefault(ranking, len(numbers) + 2) if ranking else 0)
            parts.append((str(place), start, to, flat))
        return [self.keys.slots[slot], *numbers], [self._epoch, msgspec.msgpack.encode(parts)]

    def _notes(
        self,
        moved: Mapping[TopicPartition, tuple[int, int]],
        newest: Mapping[Entity, str],
        last: Mapping[TopicPartition, str],
    ) -> list[tuple[Sequence[str], Sequence[Argument]]]:
        keys: dict[TopicPartition, list[str]] = {place: [] for place in moved}
        ids: dict[TopicPartition, list[bytes]] = {place: [] for place in moved}
        for entity, id_ in newest.items():
            place = self._place_of(entity)
            keys[place].append(entity[1])
            ids[place].append(to_bytes(id_))
        return [
            (
                [self.keys.partition(place), self.keys.newest(place, self._epoch)],
                [
                    self._epoch,
                    start,
                    to,
                    msgspec.msgpack.encode(keys[place]),
                    b"".join(ids[place]),
                    to_bytes(last[place]) if last.get(place) else b"",
                ],
            )
            for place, (start, to) in moved.items()
        ]

    def _check(self, answers: Iterable[Any]) -> None:
        for answer in answers:
            if answer != b"ok":
                raise SinkMoved("Redis")

    async def abandon(self) -> None:
        """Discard the batch: none of it was sent."""
        self._changes.clear()
        self._record = None

    async def close(self) -> None:
        """Do nothing: the client is shared."""

    async def _emptied(self, ends: Positions) -> tuple[str, Positions]:
        """Remove all keys and begin a new epoch; return its name, and its positions.

        One process does this at a time. For others the store is unavailable meanwhile; afterwards they find it done.
        """
        lock = self.keys.emptying
        with answering():
            if not await self._client.set(lock, 1, nx=True, ex=_EMPTYING_S):
                raise StoreUnavailable(f"{self.keys.name} is being emptied by another process")
            epoch, positions, _ = await held(self._client, self.keys)
            if epoch:
                await self._client.delete(lock)
                return epoch, positions
            epoch = self._new_epoch()
            # The state goes first: from here on, batches of workers that have not noticed change no counter.
            async with self._client.pipeline(transaction=False) as pipeline:
                for known in (self.keys.state, *self.keys.slots):
                    pipeline.delete(known)
                await pipeline.execute()
            cursor, begun = 0, False
            while cursor or not begun:
                cursor, found = await self._client.scan(cursor, match=self.keys.all, count=_SCANNED)
                async with self._client.pipeline(transaction=False) as pipeline:
                    pipeline.expire(lock, _EMPTYING_S)
                    for key in found:
                        if key != lock.encode():
                            pipeline.unlink(key)
                    await pipeline.execute()
                begun = True
            async with self._client.pipeline(transaction=False) as pipeline:
                for slot in self.keys.slots:
                    pipeline.hset(slot, _EPOCH, epoch)
                pipeline.hset(self.keys.state, mapping={_EPOCH: epoch, _UNTIL: str(ends)})
                pipeline.delete(lock)
                await pipeline.execute()
            return epoch, Positions()
