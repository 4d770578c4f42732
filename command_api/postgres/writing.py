"""What one transaction of the command side loads and writes: each a single round trip, however much there is of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from events.first_copies import Entity
from events.publishing import Outgoing

from ..deciding import Answer, Idempotency
from .connections import Connection, Statement
from .outbox import WAITING, EntityState, insert

STATE_LOCK = 0x6D6963726F
"""Shared by every command, taken alone by whoever replaces the decision state."""

_BEGIN = b"SELECT * FROM begin_command(%s, %s, %s::bigint[], %s::text[], %s::text[], %s, %s, %s)"
_REMEMBER = (
    "INSERT INTO idempotency (account, key, fingerprint, status, body, headers, positions, at, outbox)"
    " SELECT %s, %s, %s::bytea, %s::int, %s::bytea, %s::bytea, %s, %s::bigint, {}"
    " ON CONFLICT (account, key) DO UPDATE SET fingerprint=excluded.fingerprint, status=excluded.status,"
    " body=excluded.body, headers=excluded.headers, positions=excluded.positions, at=excluded.at,"
    " outbox=excluded.outbox"
)

_encode = msgspec.json.Encoder().encode
_headers = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode


def lock_number(*name: str) -> int:
    """The number of an advisory lock: 64 bits of a hash. Two with one number wait for each other, and no more."""
    return int.from_bytes(hashlib.blake2b("\0".join(name).encode(), digest_size=8).digest(), "big", signed=True)


class Remembered(NamedTuple):
    """An answer that was given before."""

    fingerprint: bytes
    answer: Answer
    positions: str
    outbox: list[int]


class Loaded(NamedTuple):
    """What was loaded once the locks were had. `running`: the idempotency key is in use just now."""

    running: bool
    states: dict[Entity, EntityState]
    row: Sequence[Any]
    remembered: Remembered | None


async def load(
    connection: Connection, entities: Iterable[Entity], asked: Statement | None, once: Idempotency | None, after: int
) -> Loaded:
    """Lock the entities in sorted order, then read what is noted of them, the answers to what is asked, and the answer
    that an idempotency key had `after` that time."""
    own = sorted(set(entities))
    locks = sorted({lock_number(*entity) for entity in own})
    user, key = (None, None) if once is None else (once.user, once.key)
    once_lock = None if once is None else lock_number("", once.user, once.key)
    topics_and_keys = [topic for topic, _ in own], [key for _, key in own]
    async with connection.pipeline():
        begun = await connection.execute(_BEGIN, (STATE_LOCK, once_lock, locks, *topics_and_keys, user, key, after))
        facts = await connection.execute(asked[0].encode(), asked[1]) if asked is not None else None
    [(running, states, fingerprint, status, body, headers, positions, outbox)] = await begun.fetchall()
    row = await facts.fetchone() if facts is not None else None
    remembered = None
    if fingerprint is not None:
        remembered = Remembered(fingerprint, Answer(status, body, _headers(headers)), positions, outbox)
    known = {(topic, key): EntityState(*state) for topic, key, *state in states or ()}
    return Loaded(running, known, row or (), remembered)


def remember(once: Idempotency, answer: Answer, positions: str, now: int, *, wrote: bool) -> Statement:
    """Keep an answer; with `wrote`, beside the rows that are written in the same statement."""
    numbers = "(SELECT numbers FROM written)" if wrote else "'{}'::bigint[]"
    row = (once.user, once.key, once.fingerprint, answer.status, answer.body, _encode(answer.headers), positions, now)
    return _REMEMBER.format(numbers), row


async def write(
    connection: Connection,
    private: Sequence[Statement],
    fold: Sequence[Statement],
    records: Sequence[Outgoing],
    owner: str | None,
    remembering: Statement | None,
) -> list[int]:
    """Write everything and commit; the numbers of the records in the outbox. Without an owner the relay is woken.

    `private` statements may do what they like; those of the fold become one with what appends the records.
    """
    appended = None
    async with connection.pipeline():
        for sql, values in private:
            await connection.execute(sql.encode(), values)
        if records:
            sql, values = insert(records, owner, fold if remembering is None else [*fold, remembering])
            appended = await connection.execute(sql.encode(), values)
            if owner is None:
                await connection.execute("SELECT pg_notify(%s, '')", (WAITING,))
        elif remembering is not None:
            await connection.execute(remembering[0].encode(), remembering[1])
        await connection.commit()
    if appended is None:
        return []
    [(numbers,)] = await appended.fetchall()
    return list(numbers)
