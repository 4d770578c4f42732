"""The ports of pushed home timelines: a cache of home feeds, the facts that fill it, and its reads.

Over a network, a feed is cheaper to collect before it is requested: a tweet is *pushed* into the timelines of its
author's followers. The tweets of an author with very many followers are *pulled* instead, when a feed is read. The
author's tier says which of the two happens. A timeline's floor says down to which entry it is complete. Below the
floor, or without one, all followees are pulled; so lost rows cost time, never a correct answer
(docs/explanation/fan-out.md).

Rules for every adapter:

* A cell holds the value with the highest `written`, the millisecond and counter of its event (events.ids.timestamp). A
  removal wins over a value with the same `written`. So a repeated write changes nothing.
* When a write returns, every read that begins later sees it. A write that fails may have been made in part. All
  functions raise StoreUnavailable.
* Timelines are kept for a limited time (TTL) and no row is deleted. An expired row must not be written again.

On Cassandra many timelines share a partition (shard of the viewer, bucket of the activity's time), and deliveries are
written by shard in unlogged batches: ten times as many rows a second as one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from events.ids import AccountId, ActivityId, Millis, TweetId, first_id_at
from events.log import TopicPartition

from .pages import Page

NEWEST = "ffffffff-ffff-7fff-bfff-ffffffffffff"
"""The greatest id. With it as `before`, a read covers all entries."""

STALE_MS = 5_000
"""The maximum age of a reader's set of pulled authors, in milliseconds."""


class Entry(NamedTuple):
    """One activity: a tweet, and the account `by` that posted or retweeted it."""

    activity: ActivityId
    tweet: TweetId
    by: AccountId
    reply_to: AccountId | None
    """The author of the tweet replied to, if the activity is a reply."""
    written: int
    """`events.ids.timestamp` of the activity's event."""

    @property
    def retweet(self) -> bool:
        """Whether the activity is a retweet. A posted tweet has its own id as `activity`."""
        return str(self.activity) != self.tweet


class Delivery(NamedTuple):
    """An entry for the timeline of one viewer."""

    viewer: AccountId
    entry: Entry


class FollowFact(NamedTuple):
    """A follow that an event added (`there`) or removed."""

    follower: AccountId
    followee: AccountId
    there: bool
    written: int


class ActivityFact(NamedTuple):
    """An activity that an event added (`there`) or removed.

    Of a removed one, only `activity` and `by` of the entry count.
    """

    entry: Entry
    there: bool
    written: int


class FanOutTier(StrEnum):
    """The ways in which an author's activities reach feeds."""

    PUSHED = "pushed"
    LEAVING = "leaving"
    """Pushed, on the way to PULLED: all readers start to pull before pushing ends."""
    PULLED = "pulled"
    JOINING = "joining"
    """Pulled, on the way to PUSHED: readers pull until every floor is above the activities that were not pushed."""


class Tier(NamedTuple):
    """An author's tier, the time of its last change, and the number of its changes. The default is PUSHED."""

    kind: FanOutTier = FanOutTier.PUSHED
    since: Millis = Millis(0)
    change: int = 0

    @property
    def pushes(self) -> bool:
        """Whether activities of the author are pushed. True for all kinds but PULLED."""
        return self.kind is not FanOutTier.PULLED


SMALL = Tier()


class FanOutProgress(NamedTuple):
    """The progress of fan-out in a partition: all events before `offset` are done, and the one there up to `after`.

    `after` is the cursor in the author's followers, for a fan-out that is too large for one step.
    """

    offset: int = 0
    after: str | None = None


class Keeping(NamedTuple):
    """How long rows are kept, and the safety margin before their expiry in which no reader relies on them.

    `margin_ms` covers the differences between the clocks of the processes (which issue the id, write the row, expire
    it, read it) and the duration of a read.
    """

    kept_ms: int = 30 * 24 * 3_600_000
    margin_ms: int = 3_600_000

    def oldest_written(self, now: Millis) -> str:
        """Return the oldest id that is delivered. Older entries are below every floor, so no reader looks at them."""
        return first_id_at(Millis(now - self.kept_ms))

    def oldest_trusted(self, now: Millis) -> str:
        """Return the lowest floor that a timeline may have. Older rows may have expired."""
        return first_id_at(Millis(now - self.kept_ms + self.margin_ms))


class Timelines(Protocol):
    """The activities of each account (user_timelines), for many accounts at a time."""

    async def newest(
        self, before: Mapping[AccountId, str], limit: int, since: str = ""
    ) -> dict[AccountId, list[Entry]]:
        """Return the newest `limit` entries of each account, older than its `before`, down to `since` included."""
        ...


class FanOutFacts(Timelines, Protocol):
    """The follows and activities that fan-out reads. Its own group writes them, so they are as new as its timelines."""

    async def write(self, follows: Sequence[FollowFact], activities: Sequence[ActivityFact]) -> None:
        """Write facts. Every read that begins after this returns sees them, also the reads of a concurrent fan-out."""
        ...

    async def followers(self, after: Mapping[AccountId, str | None], limit: int) -> dict[AccountId, Page[AccountId]]:
        """Return up to `limit` followers of each account after a cursor.

        The order does not change as followers come and go, so a scan by cursor misses no account that followed all the
        time.
        """
        ...

    async def followees(self, accounts: Collection[AccountId]) -> dict[AccountId, list[AccountId]]:
        """Return the accounts that each account follows."""
        ...

    async def follower_counts(self, accounts: Collection[AccountId]) -> dict[AccountId, int]:
        """Return the approximate number of followers of each account, from a counter that may lag.

        Accounts whose counter cannot be relied on are left out: counts may have been lost, and no tier must change
        because of that.
        """
        ...


class HomeTimelineRows(Protocol):
    """Rows that fan-out writes and reads: timelines, floors, tiers and its progress.

    They are lost together or not at all.
    """

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Put entries into timelines, in any order."""
        ...

    async def raise_floors(self, floors: Mapping[AccountId, str]) -> None:
        """Raise the floors of timelines. A floor that is higher already stays.

        (On Cassandra the time in the floor's id is the timestamp of its cell; of two equal timestamps the greater floor
        wins.)
        """
        ...

    async def trust(self, floors: Mapping[AccountId, str]) -> None:
        """Raise the floors of timelines, and mark the timelines as complete from the floor upwards."""
        ...

    async def trusted(self, accounts: Collection[AccountId]) -> frozenset[AccountId]:
        """Return the accounts whose timelines are marked as complete."""
        ...

    async def tiers(self, accounts: Collection[AccountId]) -> dict[AccountId, Tier]:
        """Return the current tiers of the accounts. Accounts whose tier is SMALL are left out."""
        ...

    async def move(self, account: AccountId, seen: Tier, to: FanOutTier) -> bool:
        """Change a tier if it is still `seen` (a lightweight transaction). Return whether it was changed.

        `since` becomes the time of the change by the store's clock, since the caller may have been delayed after its
        decision.
        """
        ...

    async def progress(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, FanOutProgress]:
        """Return the progress of each partition. Partitions without any progress are left out."""
        ...

    async def note(self, progress: Mapping[TopicPartition, FanOutProgress]) -> None:
        """Write progress. Progress that is further already stays, since a replaced worker may still write.

        (On Cassandra the offset is the timestamp; of two equal offsets the greater `after` wins.)
        """
        ...


class Viewing(NamedTuple):
    """The inputs of a viewer's feed besides the entries."""

    followees: Collection[AccountId]
    muted: frozenset[AccountId]
    floor: str | None
    """The floor of the viewer's timeline; None if no part of the timeline can be relied on."""


class HomeTimelines(Protocol):
    """Reads for home feeds."""

    async def pulled(self) -> frozenset[AccountId]:
        """Return all authors whose tier is not PUSHED, at most STALE_MS old. A process keeps one such set in memory."""
        ...

    async def viewing(self, viewer: AccountId) -> Viewing:
        """Return the viewer's followees and mutes, and the floor of the viewer's timeline.

        The answer is at least as new as the viewer's last applied change. It may be from a cache, since only the
        viewer's own changes alter it.
        """
        ...

    async def read(
        self,
        viewer: AccountId,
        rows: tuple[str, str] | None,
        row_limit: int,
        before: Mapping[AccountId, str],
        limit: int,
    ) -> tuple[list[Entry], dict[AccountId, list[Entry]]]:
        """Return the newest rows of a range of the viewer's timeline, and the newest entries of other accounts.

        The range `rows` is (upper bound, excluded; lower bound, included); its newest `row_limit` rows are returned. Of
        each account in `before`, the newest `limit` entries older than the given id are returned. Both reads run at
        once, in one round trip.
        """
        ...

    async def present(self, entries: Collection[Entry]) -> frozenset[ActivityId]:
        """Return the activities that still exist.

        The row of a retweet stays in timelines after the retweet was undone.
        """
        ...
