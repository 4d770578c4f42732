"""Decides whether an author's activities are pushed to followers or pulled by readers, and moves authors between both.

A push costs a row per follower, a pull a read per reader; above some number of followers the pushes cost more. There
are two limits, and between them nothing changes, so an author near one limit does not go back and forth.

Both moves lead through a tier in which the author is pushed *and* pulled. This is always correct, because a reader
shows an activity once.

- Up, from pushed to pulled: until every reader has certainly learned that it has to pull.
- Down, from pulled to pushed: for as long as rows are kept. After that, all activities that were not pushed are below
  every floor. Pulling meanwhile costs one more read; filling all followers' timelines would be millions of writes.
"""

from __future__ import annotations

from typing import NamedTuple

from events.ids import Millis
from stores.home_timelines import STALE_MS, FanOutTier, Keeping, Tier


class FanOutLimits(NamedTuple):
    """Numbers of followers that change a tier, and sizes of reads and writes."""

    up: int = 10_000
    """With this many followers or more, an author is pulled."""
    down: int = 8_000
    """With this many followers or fewer, an author is pushed again."""
    leave_ms: int = 12 * STALE_MS
    """How long pushing goes on beside pulling: the staleness of readers' tiers, with a margin for clocks and reads."""
    depth: int = 800
    """The number of newest entries that a backfill writes."""
    page: int = 1_000
    """Followers per read."""
    at_once: int = 20_000
    """Deliveries per write."""


def next_kind(tier: Tier, followers: int, now: Millis, limits: FanOutLimits, keeping: Keeping) -> FanOutTier:
    """Return the tier that the author must have now; the present one if nothing changes."""
    kind, age = tier.kind, now - tier.since
    if kind is FanOutTier.PUSHED and followers >= limits.up:
        return FanOutTier.LEAVING
    if kind is FanOutTier.LEAVING:
        if followers <= limits.down:
            return FanOutTier.PUSHED  # no gap: the author was pushed all the time
        return FanOutTier.PULLED if age >= limits.leave_ms else kind
    if kind is FanOutTier.PULLED and followers <= limits.down:
        return FanOutTier.JOINING
    if kind is FanOutTier.JOINING:
        if followers >= limits.up:
            return FanOutTier.PULLED  # no gap: readers have pulled all the time
        return FanOutTier.PUSHED if age >= keeping.kept_ms else kind
    return kind
