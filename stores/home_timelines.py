"""The ports of pushed home timelines: a cache of the home feed's definition, and what it is filled from and read with.

Where a network lies between, a feed is cheaper to collect before it is asked for: a tweet is *pushed* into the
timelines of its author's followers. An author with very many is *pulled* instead, when somebody reads. Which it is says
the author's tier; down to where a timeline can be trusted says its floor. Below the floor, and where there is none,
every followee is pulled, so that losing rows costs time and never an answer (docs/explanation/fan-out.md).

What every adapter keeps to:
- A cell holds the value with the highest `written`, the millisecond and counter of the event that it is of
  (events.ids.timestamp); a removal wins over a value that is as new. So a write made again changes nothing.
- A write has happened when the call returns, and is seen by every call that begins later. One that fails may have
  happened in part. All raise StoreUnavailable.
- Timelines are kept for a time (TTL) and never deleted from: an expired row cannot be written again.

On Cassandra many timelines share a partition, (shard of the viewer, bucket of the activity's time), and deliveries
go there by shard in unlogged batches: ten times as many rows a second as one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from events.ids import AccountId, ActivityId, Millis, TweetId, first_id_at
from events.log import TopicPartition

from .pages import Page

NEWEST = "ffffffff-ffff-7fff-bfff-ffffffffffff"
"""The greatest id: what is before it is all there is."""

STALE_MS = 5_000
"""How old a reader's set of pulled authors may be."""


class Entry(NamedTuple):
    """One activity: a tweet, and by whom it was posted or passed on."""

    activity: ActivityId
    tweet: TweetId
    by: AccountId
    reply_to: AccountId | None
    """The account replied to, where it was posted as a reply."""
    written: int
    """`events.ids.timestamp` of its event."""

    @property
    def retweet(self) -> bool:
        """Whether it was passed on: what was posted has its tweet's id."""
        return str(self.activity) != self.tweet


class Delivery(NamedTuple):
    """An entry for one viewer's timeline."""

    viewer: AccountId
    entry: Entry


class FollowFact(NamedTuple):
    """A follow that is there since an event, or no longer."""

    follower: AccountId
    followee: AccountId
    there: bool
    written: int


class ActivityFact(NamedTuple):
    """An activity that is there since an event, or no longer (then only `activity` and `by` of the entry matter)."""

    entry: Entry
    there: bool
    written: int


class Kind(StrEnum):
    """How an author's activities reach the feeds."""

    PUSHED = "pushed"
    LEAVING = "leaving"
    """Pushed, on the way to being pulled: readers pull already, or will before pushing ends."""
    PULLED = "pulled"
    JOINING = "joining"
    """Pulled, on the way to being pushed: pushing has begun, and what it missed still has to sink below every floor."""


class Tier(NamedTuple):
    """An author's tier, since when, and how many changes led to it. An author without one is PUSHED."""

    kind: Kind = Kind.PUSHED
    since: Millis = Millis(0)
    change: int = 0

    @property
    def pushes(self) -> bool:
        """Whether activities are delivered; all but PULLED."""
        return self.kind is not Kind.PULLED


SMALL = Tier()


class Progress(NamedTuple):
    """How far a partition has landed: everything before `offset`, and of the event there the followers up to `after`.

    `after` is the cursor of a fan-out that is too large for one go.
    """

    offset: int = 0
    after: str | None = None


class Keeping(NamedTuple):
    """How long rows are kept, and the part of that for which nobody relies on them any more.

    `margin_ms` covers what clocks differ by (of whoever issued the id, wrote the row, expires it, reads it) and the
    time that a read takes.
    """

    kept_ms: int = 30 * 24 * 3_600_000
    margin_ms: int = 3_600_000

    def oldest_written(self, now: Millis) -> str:
        """Below it nothing is delivered, since nobody would look at it."""
        return first_id_at(Millis(now - self.kept_ms))

    def oldest_trusted(self, now: Millis) -> str:
        """Every timeline's floor is at least this: what is older may be gone."""
        return first_id_at(Millis(now - self.kept_ms + self.margin_ms))


class Timelines(Protocol):
    """What each account posted and passed on (user_timelines), many accounts at a time."""

    async def newest(
        self, before: Mapping[AccountId, str], limit: int, since: str = ""
    ) -> dict[AccountId, list[Entry]]:
        """Of each account its newest `limit` entries older than its `before`, down to and with `since`."""
        ...


class Facts(Timelines, Protocol):
    """What fan-out knows: follows and activities, each written here by the event that it is of."""

    async def write(self, follows: Sequence[FollowFact], activities: Sequence[ActivityFact]) -> None:
        """Write them. When this returns whoever asks is told of them: the other side of a race among them."""
        ...

    async def followers(self, after: Mapping[AccountId, str | None], limit: int) -> dict[AccountId, Page[AccountId]]:
        """Of each account up to `limit` followers behind a cursor.

        In an order that stays as followers come and go: going on from a cursor misses nobody who was there before.
        """
        ...

    async def followees(self, accounts: Collection[AccountId]) -> dict[AccountId, list[AccountId]]:
        """Whom each account follows."""
        ...

    async def follower_counts(self, accounts: Collection[AccountId]) -> dict[AccountId, int]:
        """About how many followers each has; a counter's value, which may be behind.

        Leaves out those of which that cannot be told now: what was counted may be lost, and nobody's tier is to change
        for that.
        """
        ...


class HomeTimelineRows(Protocol):
    """What fan-out writes and keeps: timelines, floors, tiers and its own progress, which are lost together or not."""

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Put entries into timelines, in any order."""
        ...

    async def raise_floors(self, floors: Mapping[AccountId, str]) -> None:
        """From now on trust nothing older in these timelines. A floor that is higher stays.

        (On Cassandra: the floor's own time as the timestamp of its cell; of two as new the greater one wins.)
        """
        ...

    async def trust(self, floors: Mapping[AccountId, str]) -> None:
        """The same; and these timelines are whole from their floor upwards."""
        ...

    async def trusted(self, accounts: Collection[AccountId]) -> frozenset[AccountId]:
        """Those of the accounts whose timelines are."""
        ...

    async def tiers(self, accounts: Collection[AccountId]) -> dict[AccountId, Tier]:
        """The tiers now of those that have one other than SMALL."""
        ...

    async def move(self, account: AccountId, seen: Tier, to: Kind) -> bool:
        """Change a tier, if it is still the one that was seen (a lightweight transaction); whether it was.

        `since` is when this took effect, by the store's clock: whoever decided it may have been held up since.
        """
        ...

    async def progress(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, Progress]:
        """How far those of the partitions have landed that have at all."""
        ...

    async def note(self, progress: Mapping[TopicPartition, Progress]) -> None:
        """They have landed so far; what is further already stays: a worker may not know that it was replaced.

        (On Cassandra: the offset as the timestamp; of two as new the greater `after` wins.)
        """
        ...


class Viewing(NamedTuple):
    """What a viewer's feed depends on besides entries."""

    followees: Collection[AccountId]
    muted: frozenset[AccountId]
    floor: str | None
    """None: the timeline cannot be trusted at all."""


class HomeTimelines(Protocol):
    """What a feed is read from."""

    async def pulled(self) -> frozenset[AccountId]:
        """All authors whose tier is not PUSHED, as it was STALE_MS ago at most: one set a process, kept in memory."""
        ...

    async def viewing(self, viewer: AccountId) -> Viewing:
        """Whom the viewer follows and mutes, and the floor of its timeline.

        Read after this was asked; or before, if nothing that the viewer did has landed since: only that changes them.
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
        """Of the viewer's timeline the newest `row_limit` rows of a range; of each account its newest before.

        The range is (below, down to and with). Both at once: one round trip.
        """
        ...

    async def present(self, entries: Collection[Entry]) -> frozenset[ActivityId]:
        """Those of the activities that are still there: a row stays when its retweet is undone."""
        ...
