"""Identifiers: UUIDv7 (RFC 9562) issued by a hybrid logical clock, so that ids sort by time and never go back.

The 48 bits of milliseconds are the wall clock's unless that would not be past the newest id; the 12 bits behind them
count within a millisecond; 62 bits are random. All ids travel as canonical lower-case text of 36 characters, which
sorts the way the 128-bit number does.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import NewType

AccountId = NewType("AccountId", str)
TweetId = NewType("TweetId", str)
ActivityId = NewType("ActivityId", str)
"""A tweet's id where it was posted, the retweet's own id where it was passed on: what timelines are ordered by."""
EventId = NewType("EventId", str)
SessionId = NewType("SessionId", str)
NotificationId = NewType("NotificationId", str)
MediaId = NewType("MediaId", str)
Millis = NewType("Millis", int)
"""Milliseconds since 1970-01-01T00:00:00Z."""

Clock = Callable[[], Millis]
"""The wall clock; handed in, never looked up."""
Randomness = Callable[[int], bytes]
"""`n` random bytes; handed in, never looked up."""

LATEST = Millis((1 << 48) - 1)
"""The last millisecond that an id has bits for, in the year 10889; the first is 1970-01-01T00:00:00Z."""
MAX_DRIFT_MS = 60_000
REMEMBERED = 8192
"""Ids whose bytes or text are at hand, 2 MB at most: what is read is mostly what was read or written just now."""
_COUNTER_BITS = 12
_RANDOM_MASK = (1 << 62) - 1
_SHAPE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class TimeOutOfRange(ValueError):
    """An id has no bits for this time."""

    def __init__(self, time_ms: int) -> None:
        super().__init__(f"{time_ms} milliseconds since 1970 are before or beyond what an id can say")


class ClockBehind(Exception):
    """The wall clock is too far behind the newest id for ids to be honest about time."""

    def __init__(self, behind_ms: int) -> None:
        super().__init__(
            f"the clock is {behind_ms / 1000:.0f} s behind the newest event; correct the clock and try again"
        )
        self.behind_ms = behind_ms


def wall_clock() -> Millis:
    """Now, in milliseconds, by this machine's clock."""
    return Millis(time.time_ns() // 1_000_000)


def _format(stamp: int, random62: int) -> str:
    """`stamp` is `milliseconds << 12 | counter`. Raises TimeOutOfRange."""
    if not 0 <= stamp >> _COUNTER_BITS <= LATEST:
        raise TimeOutOfRange(stamp >> _COUNTER_BITS)
    value = f"{(stamp >> 12) << 16 | 0x7000 | (stamp & 0xFFF):016x}{1 << 63 | random62:016x}"
    return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"


class HybridClock:
    """Issues ids, each greater than every one before it and than every id it has been shown.

    `clock` gives milliseconds, `randomness` the random bits. Raises ClockBehind when the wall clock is more than
    `drift_ms` behind the newest id (Kulkarni et al., Logical Physical Clocks, 2014, bound their drift likewise).
    """

    def __init__(
        self, clock: Clock = wall_clock, randomness: Randomness | None = None, drift_ms: float = MAX_DRIFT_MS
    ) -> None:
        import os

        self._drift_ms = drift_ms
        self._clock = clock
        self._randomness = randomness or os.urandom
        self._stamp = 0
        self._pool = b""
        self._used = 0

    def observe(self, newest: str) -> None:
        """From now on issue only ids past `newest`."""
        self._stamp = max(self._stamp, timestamp(newest))

    def now(self) -> Millis:
        """The wall clock this one leans on."""
        return self._clock()

    def issue(self) -> str:
        """A new id, as text."""
        wall = self._clock() << _COUNTER_BITS
        if wall > self._stamp:
            self._stamp = wall
        else:
            behind = (self._stamp - wall) >> _COUNTER_BITS
            if behind > self._drift_ms:
                raise ClockBehind(behind)
            self._stamp += 1
        return _format(self._stamp, self._random62())

    def _random62(self) -> int:
        # One system call for 64 ids: a call each costs more than the id itself.
        if self._used >= len(self._pool):
            self._pool = self._randomness(512)
            self._used = 0
        self._used += 8
        return int.from_bytes(self._pool[self._used - 8 : self._used], "big") & _RANDOM_MASK


def id_at(time_ms: Millis, *seed: str) -> str:
    """The id of something that happened at `time_ms`, the same for the same seed: for imports and derived records.

    All but its milliseconds comes from the seed (`without_time`). Raises TimeOutOfRange.
    """
    digest = hashlib.blake2b("\0".join(seed).encode(), digest_size=10).digest()
    counter = int.from_bytes(digest[:2], "big") & 0xFFF
    return _format(time_ms << _COUNTER_BITS | counter, int.from_bytes(digest[2:], "big") & _RANDOM_MASK)


def derived_id(source: str, *seed: str) -> str:
    """An id of another's moment, its counter included: what is derived from an entity's events keeps their order."""
    digest = hashlib.blake2b("\0".join((source, *seed)).encode(), digest_size=8).digest()
    return _format(timestamp(source), int.from_bytes(digest, "big") & _RANDOM_MASK)


def timestamp(id_: str) -> int:
    """`milliseconds << 12 | counter` of an id: what Cassandra's USING TIMESTAMP and the hybrid clock go by."""
    return int(id_[:8] + id_[9:13], 16) << 12 | int(id_[15:18], 16)


def millis(id_: str) -> Millis:
    """When an id was made."""
    return Millis(int(id_[:8] + id_[9:13], 16))


def at_time(id_: str, time_ms: Millis) -> str:
    """The id moved to another time: as unique, and sorted by when something happened. Raises TimeOutOfRange."""
    if not 0 <= time_ms <= LATEST:
        raise TimeOutOfRange(time_ms)
    h = f"{time_ms:012x}"
    return f"{h[:8]}-{h[8:]}{id_[13:]}"


def first_id_at(time_ms: Millis) -> str:
    """The lowest id of a millisecond: a bound for ranges by time. A time that no id has becomes the nearest."""
    return _format(min(max(0, time_ms), LATEST) << _COUNTER_BITS, 0)


def without_time(id_: str) -> str:
    """The part of an id that its seed makes, whatever its time (`id_at`)."""
    return id_[14:]


@lru_cache(maxsize=REMEMBERED)
def to_bytes(id_: str) -> bytes:
    """The 16 bytes of an id, which sort as its text does."""
    return bytes.fromhex(id_.replace("-", ""))


@lru_cache(maxsize=REMEMBERED)
def from_bytes(raw: bytes) -> str:
    """The text of an id from its 16 bytes."""
    h = raw.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def account_number(account: str) -> int:
    """The account's random 62 bits: a key half as wide as the id for the tables that hold millions of them.

    Two accounts with one number are refused at registration, so the number is as good as the id (docs/adr: ids).
    """
    return int(account[19:23] + account[24:], 16) & _RANDOM_MASK


def is_id(text: str) -> bool:
    """Whether text has the shape of an id (so that a lookup with it makes sense)."""
    return _SHAPE.fullmatch(text) is not None
