"""Load and write in a transaction of the command side: one round trip each, for any number of commands."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from events.first_copies import Entity
from events.postgres.connections import Connection, Statement
from events.publishing import Outgoing

from ..deciding import Answer, Idempotency
from ..facts import Facts, Question
from . import sets
from .answers import QuestionReader, put
from .outbox import WAITING, EntityState, Remembering, insert
from .rows import Written, gathered

STATE_LOCK = 0x6D6963726F
"""The advisory lock that every command shares, and that a rebuild of the decision state takes exclusively."""

_BEGIN = b"SELECT * FROM begin_commands(%s, %s, %s::json, %s::json, %s::json, %s)"

_encode = msgspec.json.Encoder().encode
_headers = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode


def lock_number(*name: str) -> int:
    """Return the number of an advisory lock: 64 bits of a hash. A collision only makes two commands wait."""
    return int.from_bytes(hashlib.blake2b("\0".join(name).encode(), digest_size=8).digest(), "big", signed=True)


class CommandNeeds(NamedTuple):
    """The entities to lock for a command, and the idempotency key and questions to load."""

    entities: Sequence[Entity]
    once: Idempotency | None = None
    questions: Sequence[Question[Any]] = ()


class StoredAnswer(NamedTuple):
    """A stored answer of an earlier request."""

    fingerprint: bytes
    answer: Answer
    positions: str
    outbox: list[int]


class LoadedState(NamedTuple):
    """The data loaded after the locks were taken; commands are named by their index in the group.

    `running` are commands whose idempotency key another request is using, `busy` commands whose locks another process
    holds.
    """

    running: set[int]
    busy: set[int]
    states: dict[Entity, EntityState]
    remembered: dict[int, StoredAnswer]
    facts: Facts


async def load(
    connection: Connection, answers: QuestionReader, group: Sequence[CommandNeeds], answered_after: int, *, waits: bool
) -> LoadedState:
    """Lock the entities, then read their states, the answers to the questions, and stored answers after a time.

    With `waits`, waits for locks of other processes in sorted order; otherwise the commands are `busy`.
    """
    entities = dict.fromkeys(entity for one in group for entity in one.entities)
    locks = [(n, lock_number(*entity)) for n, one in enumerate(group) for entity in one.entities]
    once = [
        (n, lock_number("", one.once.account, one.once.key), one.once.account, one.once.key)
        for n, one in enumerate(group)
        if one.once is not None
    ]
    beginning = (
        STATE_LOCK,
        waits,
        sets.value(("n", "lock", "account", "key"), once),
        sets.value(("n", "lock"), locks),
        sets.value(("topic", "key"), entities),
        answered_after,
    )
    inquiries = answers.inquiries(question for one in group for question in one.questions)
    async with connection.pipeline():
        begun = await connection.execute(_BEGIN, beginning)
        asked = [(inquiry, await put(connection, inquiry)) for inquiry in inquiries]
    [(running, busy, states, remembered)] = await begun.fetchall()
    return LoadedState(
        set(running or ()),
        set(busy or ()),
        {(topic, key): EntityState(*state) for topic, key, *state in states or ()},
        {n: _remembered(*row) for n, *row in remembered or ()},
        await answers.read(asked),
    )


def _remembered(
    fingerprint: str, status: int, body: str, headers: str, positions: str, outbox: list[int]
) -> StoredAnswer:
    answer = Answer(status, bytes.fromhex(body), _headers(bytes.fromhex(headers)))
    return StoredAnswer(bytes.fromhex(fingerprint), answer, positions, outbox)


def remembering(once: Idempotency, answer: Answer, positions: str, now: int, rows: slice) -> Remembering:
    """Return an answer in the form that the outbox stores."""
    headers = _encode(answer.headers)
    return Remembering(
        once.account, once.key, once.fingerprint, answer.status, answer.body, headers, positions, now, rows
    )


class GroupWrites:
    """The writes of a group. `private` statements run in order; the other writes are independent of each other."""

    __slots__ = ("answers", "private", "records", "written")

    def __init__(self) -> None:
        self.private: list[Statement] = []
        self.written: list[Written] = []
        self.records: list[tuple[Outgoing, str | None]] = []
        self.answers: list[Remembering] = []

    def __bool__(self) -> bool:
        return bool(self.private or self.records or self.answers)


async def write(connection: Connection, batch: GroupWrites) -> list[int]:
    """Write everything and commit; return the row numbers of the records. Notifies the relay of rows without owner."""
    appended = None
    async with connection.pipeline():
        for sql, values in (*batch.private, *gathered(batch.written)):
            await connection.execute(sql.encode(), values)
        if batch.records or batch.answers:
            sql, values = insert(batch.records, batch.answers)
            appended = await connection.execute(sql.encode(), values)
        if any(owner is None for _, owner in batch.records):
            await connection.execute("SELECT pg_notify(%s, '')", (WAITING,))
        await connection.commit()
    if appended is None:
        return []
    [(numbers,)] = await appended.fetchall()
    return list(numbers)
