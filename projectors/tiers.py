"""Which authors are pushed and which are pulled, and how one becomes the other with no gap in between.

Pushing costs a row a follower, pulling a read a viewer; above some number of followers the rows cost more. Between the
two limits nothing changes, so that an author at a limit does not go back and forth.

Both ways lead through a tier in which an author is pushed *and* pulled, which is always right, as an activity counts
once:
- up, until every reader is sure to have heard that it has to pull;
- down, for as long as rows are kept: what was not pushed is then below every floor. It is pulled meanwhile, one more
  read, where filling the followers' timelines would be millions of rows at once.
"""

from __future__ import annotations

from typing import NamedTuple

from events.ids import Millis
from stores.home_timelines import STALE_MS, Keeping, Kind, Tier


class Limits(NamedTuple):
    """Numbers of followers, and how much is done at once."""

    up: int = 10_000
    """From so many followers on an author is pulled,"""
    down: int = 8_000
    """and pushed again at so many."""
    leave_ms: int = 12 * STALE_MS
    """How long pushing goes on beside pulling: what readers may be behind, and ample time for clocks and reads."""
    depth: int = 800
    """How many of the newest entries a backfill writes."""
    page: int = 1_000
    """Followers read at once."""
    at_once: int = 20_000
    """Deliveries collected before they are written."""


def next_kind(tier: Tier, followers: int, now: Millis, limits: Limits, keeping: Keeping) -> Kind:
    """What an author is to be now; the same where nothing is to be changed."""
    kind, age = tier.kind, now - tier.since
    if kind is Kind.PUSHED and followers >= limits.up:
        return Kind.LEAVING
    if kind is Kind.LEAVING:
        if followers <= limits.down:
            return Kind.PUSHED  # it was pushed all the time
        return Kind.PULLED if age >= limits.leave_ms else kind
    if kind is Kind.PULLED and followers <= limits.down:
        return Kind.JOINING
    if kind is Kind.JOINING:
        if followers >= limits.up:
            return Kind.PULLED  # and readers have pulled all the time
        return Kind.PUSHED if age >= keeping.kept_ms else kind
    return kind
