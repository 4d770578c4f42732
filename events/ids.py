"""Identifiers: UUIDv7 (RFC 9562) issued by a hybrid logical clock, so that ids sort by time and never decrease.

The first 48 bits are the milliseconds of the wall clock, or of the newest id if the wall clock is not past it. The next
12 bits count within a millisecond; 62 bits are random. Ids travel as canonical lower-case text of 36 characters, which
sorts as the 128-bit number does.
"""

from __future__ import annotations

import hashlib
import re
import time
from binascii import unhexlify
from collections.abc import Callable
from functools import lru_cache
from typing import NewType

AccountId = NewType("AccountId", str)
TweetId = NewType("TweetId", str)
ActivityId = NewType("ActivityId", str)
"""The id of an entry of a timeline: the tweet's id for a post, the retweet's own id for a retweet. Sorts by time."""
EventId = NewType("EventId", str)
SessionId = NewType("SessionId", str)
NotificationId = NewType("NotificationId", str)
MediaId = NewType("MediaId", str)
Millis = NewType("Millis", int)
"""Milliseconds since 1970-01-01T00:00:00Z."""

Clock = Callable[[], Millis]
"""The wall clock, as an argument, so that tests can replace it."""
Randomness = Callable[[int], bytes]
"""Returns `n` random bytes; an argument, so that tests can replace it."""

LATEST = Millis((1 << 48) - 1)
"""The last millisecond that fits an id, in the year 10889; the first is 1970-01-01T00:00:00Z."""
MAX_DRIFT_MS = 60_000
REMEMBERED = 8192
"""Size of the caches of conversions between text and bytes, 2 MB each at most: most ids that are read are recent."""
_COUNTER_BITS = 12
_RANDOM_MASK = (1 << 62) - 1
_SHAPE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class TimeOutOfRange(ValueError):
    """The time does not fit the 48 bits of an id."""

    def __init__(self, time_ms: int) -> None:
        super().__init__(f"{time_ms} milliseconds since 1970 do not fit an id: the range is 0 to {LATEST}")


class ClockBehind(Exception):
    """The wall clock is so far behind the newest id that the time in a new id would be wrong."""

    def __init__(self, behind_ms: int) -> None:
        super().__init__(
            f"the clock is {behind_ms / 1000:.0f} s behind the newest event; correct the clock and try again"
        )
        self.behind_ms = behind_ms


def wall_clock() -> Millis:
    """Return the time of this machine's clock, in milliseconds."""
    return Millis(time.time_ns() // 1_000_000)


def _format(stamp: int, random62: int) -> str:
    """Format an id as text. `stamp` is `milliseconds << 12 | counter`. Raises TimeOutOfRange."""
    if not 0 <= stamp >> _COUNTER_BITS <= LATEST:
        raise TimeOutOfRange(stamp >> _COUNTER_BITS)
    value = f"{(stamp >> 12) << 16 | 0x7000 | (stamp & 0xFFF):016x}{1 << 63 | random62:016x}"
    return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"


class HybridClock:
    """Issues ids, each greater than all that it issued before and than every id it has observed.

    `clock` returns milliseconds, `randomness` the random bits. If the wall clock is more than `drift_ms` behind the
    newest id, `issue` raises ClockBehind (Kulkarni et al., Logical Physical Clocks, 2014, bound the drift likewise).
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
        """Issue only ids greater than `newest` from now on."""
        self._stamp = max(self._stamp, timestamp(newest))

    def now(self) -> Millis:
        """Return the time of the wall clock that this clock is based on."""
        return self._clock()

    def issue(self) -> str:
        """Issue a new id, as text. Raises ClockBehind."""
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
        # One system call serves 64 ids: a call for each would cost more than the rest of the id.
        if self._used >= len(self._pool):
            self._pool = self._randomness(512)
            self._used = 0
        self._used += 8
        return int.from_bytes(self._pool[self._used - 8 : self._used], "big") & _RANDOM_MASK


def id_at(time_ms: Millis, *seed: str) -> str:
    """Return the id of something that happened at `time_ms`: the same time and seed give the same id.

    Imports and derived records use it. The bits besides the milliseconds come from the seed alone (`without_time`).
    Raises TimeOutOfRange.
    """
    digest = hashlib.blake2b("\0".join(seed).encode(), digest_size=10).digest()
    counter = int.from_bytes(digest[:2], "big") & 0xFFF
    return _format(time_ms << _COUNTER_BITS | counter, int.from_bytes(digest[2:], "big") & _RANDOM_MASK)


def derived_id(source: str, *seed: str) -> str:
    """Return an id with the milliseconds and counter of `source`, so that derived events keep the order of their
    sources.
    """
    digest = hashlib.blake2b("\0".join((source, *seed)).encode(), digest_size=8).digest()
    tail = f"{1 << 63 | int.from_bytes(digest, 'big') & _RANDOM_MASK:016x}"
    return f"{source[:14]}7{source[15:18]}-{tail[:4]}-{tail[4:]}"


def timestamp(id_: str) -> int:
    """Return `milliseconds << 12 | counter` of an id. Cassandra's USING TIMESTAMP and the hybrid clock use it."""
    return int(id_[:8] + id_[9:13], 16) << 12 | int(id_[15:18], 16)


def millis(id_: str) -> Millis:
    """Return the time in an id: when it was issued."""
    return Millis(int(id_[:8] + id_[9:13], 16))


def at_time(id_: str, time_ms: Millis) -> str:
    """Return the id with its milliseconds replaced by `time_ms`, so that it sorts by that time.

    Raises TimeOutOfRange.
    """
    if not 0 <= time_ms <= LATEST:
        raise TimeOutOfRange(time_ms)
    h = f"{time_ms:012x}"
    return f"{h[:8]}-{h[8:]}{id_[13:]}"


def first_id_at(time_ms: Millis) -> str:
    """Return the lowest id of a millisecond, as the bound of a range by time. A time out of range becomes the nearest
    in it.
    """
    return _format(min(max(0, time_ms), LATEST) << _COUNTER_BITS, 0)


def without_time(id_: str) -> str:
    """Return the part of an id that depends on its seed and not on its time (`id_at`)."""
    return id_[14:]


@lru_cache(maxsize=REMEMBERED)
def to_bytes(id_: str) -> bytes:
    """Return the 16 bytes of an id. They sort as the text does."""
    return unhexlify(id_.replace("-", ""))


@lru_cache(maxsize=REMEMBERED)
def from_bytes(raw: bytes) -> str:
    """Return the text of an id from its 16 bytes."""
    h = raw.hex("-", 2)
    return f"{h[:4]}{h[5:29]}{h[30:34]}{h[35:]}"


def account_number(account: str) -> int:
    """Return the 62 random bits of an account's id: a key of 8 bytes for tables with millions of accounts.

    Registration refuses an account whose number exists already, so the number is unique (docs/adr/0003-ids.md).
    """
    return int(account[19:23] + account[24:], 16) & _RANDOM_MASK


def is_id(text: str) -> bool:
    """Return whether the text has the form of an id."""
    return _SHAPE.fullmatch(text) is not None
