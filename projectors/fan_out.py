"""Fan-out: write each post and retweet into the home timelines of the author's followers.

A tweet and a follow of its author can arrive at the same time at two workers. **Each worker writes its own fact first,
durably, and then reads the other's**: the tweet's worker reads the followers, the follow's worker the followee's newest
tweets. So at least one of them sees the other; if both do, the row is written twice, with the same result. All code
here keeps this order. A batch's facts are written before anything is read. A tier is read after the activity is stored,
and changed before deliveries may rely on the change.

Unfollows, blocks, mutes and deletions remove no row: a removal would be newer than the rows of a later backfill, and
would hide them. They are stored as facts, and reads apply them.

The store compares every write with the event's own time, so copies, redelivery and a worker that has not noticed its
replacement change nothing. In addition, an offset per partition guards each event, because a redelivery divides the
events into other batches.

Costs: one row per follower and activity; `depth` rows per follow; one read of followers per author and batch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from events.accounts import AccountRegistered
from events.engagement import RetweetUndone, TweetRetweeted
from events.event import Envelope, Handles, on
from events.graph import AccountFollowed, AccountUnfollowed
from events.ids import AccountId, ActivityId, Clock, TweetId, timestamp, wall_clock
from events.log import Positions, Record, TopicPartition, positions_after
from events.tweets import TweetDeleted, TweetPosted
from events.usage import AccountActive
from stores.composed.merged_timelines import Merge
from stores.home_timelines import (
    NEWEST,
    SMALL,
    ActivityFact,
    Delivery,
    Entry,
    FanOutFacts,
    FanOutProgress,
    FanOutTier,
    FollowFact,
    HomeTimelineRows,
    Keeping,
    Tier,
)

from .tiers import FanOutLimits, next_kind

_START = FanOutProgress()


@dataclass(slots=True)
class FanOutWork:
    """The work that the events of a batch require."""

    follows: list[FollowFact] = field(default_factory=list)
    activities: list[ActivityFact] = field(default_factory=list)
    joins: dict[tuple[AccountId, AccountId], None] = field(default_factory=dict)
    """Pairs of follower and followee: the followee's newest entries go into the follower's timeline."""
    counted: dict[AccountId, None] = field(default_factory=dict)
    """Accounts whose number of followers changed: their tier is checked."""
    begun: dict[AccountId, None] = field(default_factory=dict)
    """New accounts: their timeline is backfilled."""
    returned: dict[AccountId, None] = field(default_factory=dict)
    """Active accounts: their timeline is backfilled if it was lost."""
    pushes: list[tuple[Record, Entry]] = field(default_factory=list)


class FanOut(Handles):
    """Maintains the home timelines of one worker's partitions: `resume` first, then `apply` for each batch.

    After StoreUnavailable the same records can be applied again, or others from the same positions on.
    """

    def __init__(
        self,
        facts: FanOutFacts,
        rows: HomeTimelineRows,
        clock: Clock = wall_clock,
        limits: FanOutLimits | None = None,
        keeping: Keeping | None = None,
    ) -> None:
        self.facts = facts
        self.rows = rows
        self.clock = clock
        self.limits = limits or FanOutLimits()
        self.keeping = keeping or Keeping()
        self.applied: dict[TopicPartition, FanOutProgress] = {}
        self._batch = FanOutWork()
        self._record: Record | None = None
        self._noting = True

    # The work of each event

    @on(AccountRegistered)
    def registered(self, event: AccountRegistered, about: Envelope) -> None:
        """Begin the account's timeline; in a rebuild it is complete from here on."""
        self._batch.begun[event.account] = None

    @on(AccountActive)
    def active(self, event: AccountActive, about: Envelope) -> None:
        """Backfill the timeline of an active account if it was lost."""
        self._batch.returned[event.account] = None

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Deliver a post or a reply to all followers. Replies too: a follower may follow the other account when it
        reads.
        """
        replied = event.reply_to.author if event.reply_to else None
        self._appears(Entry(ActivityId(event.tweet), event.tweet, event.author, replied, timestamp(about.id)))

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Store that the tweet is deleted. Its rows stay; reads leave them out."""
        self._disappears(event.author, ActivityId(event.tweet), event.tweet, about)

    @on(TweetRetweeted)
    def retweeted(self, event: TweetRetweeted, about: Envelope) -> None:
        """Deliver a retweet: an activity of its own, beside the original's."""
        self._appears(Entry(event.retweet, event.tweet, event.actor, None, timestamp(about.id)))

    @on(RetweetUndone)
    def undone(self, event: RetweetUndone, about: Envelope) -> None:
        """Store that the retweet is undone. Its rows stay; reads leave them out."""
        self._disappears(event.actor, event.retweet, event.tweet, about)

    @on(AccountFollowed)
    def followed(self, event: AccountFollowed, about: Envelope) -> None:
        """Store the follow, and deliver the followee's newest entries to the follower."""
        self._batch.follows.append(FollowFact(event.follower, event.followee, True, timestamp(about.id)))
        self._batch.joins[event.follower, event.followee] = None
        self._batch.counted[event.followee] = None

    @on(AccountUnfollowed)
    def unfollowed(self, event: AccountUnfollowed, about: Envelope) -> None:
        """Store that the follow ended. Rows stay; reads leave out authors that are not followed."""
        self._batch.follows.append(FollowFact(event.follower, event.followee, False, timestamp(about.id)))
        self._batch.counted[event.followee] = None

    def _appears(self, entry: Entry) -> None:
        assert self._record is not None
        self._batch.activities.append(ActivityFact(entry, True, entry.written))
        self._batch.pushes.append((self._record, entry))

    def _disappears(self, by: AccountId, activity: ActivityId, tweet: TweetId, about: Envelope) -> None:
        written = timestamp(about.id)
        self._batch.activities.append(ActivityFact(Entry(activity, tweet, by, None, written), False, written))

    # Applying batches

    async def resume(self, places: Iterable[TopicPartition]) -> Positions:
        """Return the positions to read on from. They come from the store of the timelines, not from a consumer group's
        offsets.
        """
        places = list(places)
        self.applied = await self.rows.progress(places)
        return Positions((place, self.applied.get(place, _START).offset) for place in places)

    async def apply(self, records: Sequence[Record]) -> None:
        """Apply records, each partition's in order, and store the positions. Raises StoreUnavailable."""
        self.begin()
        unapplied = self.unapplied(records)
        for record in unapplied:
            if record.event is not None:
                self.applying(record)
                self.handle(record.event, record.about)
        await self.commit(positions_after(unapplied))

    def unapplied(self, records: Iterable[Record]) -> list[Record]:
        """Return the records that were not applied yet."""
        return [record for record in records if record.offset >= self.applied.get(record.place, _START).offset]

    def begin(self) -> None:
        """Begin an empty batch."""
        self._batch, self._record = FanOutWork(), None

    def applying(self, record: Record) -> None:
        """Name the record whose event is handled next."""
        self._record = record

    async def commit(self, reached: Positions) -> None:
        """Write the batch, which ends at the positions `reached`. Raises StoreUnavailable.

        `reached` is empty if the records are retried dead letters, or were held back behind one: positions have passed
        them.
        """
        batch, self._noting = self._batch, bool(reached)
        await self._write_facts(batch)
        tiers = await self._tiers(batch)
        await self._join([pair for pair in batch.joins if tiers.get(pair[1], SMALL).pushes])
        await self._welcome(batch)
        await self._push([push for push in batch.pushes if tiers.get(push[1].by, SMALL).pushes])
        news = ((place, end) for place, end in reached.items() if end > self.applied.get(place, _START).offset)
        await self._note({place: FanOutProgress(end) for place, end in news})

    async def _write_facts(self, batch: FanOutWork) -> None:
        if batch.follows or batch.activities:
            await self.facts.write(batch.follows, batch.activities)

    async def _note(self, reached: dict[TopicPartition, FanOutProgress]) -> None:
        if reached and self._noting:
            await self.rows.note(reached)
            self.applied.update(reached)

    async def _tiers(self, batch: FanOutWork) -> dict[AccountId, Tier]:
        """Return the tiers of the batch's authors before the batch, and change the tiers that have to change."""
        authors = dict.fromkeys(entry.by for _, entry in batch.pushes) | batch.counted
        if not authors:
            return {}
        seen = await self.rows.tiers(authors)
        moving = [
            a
            for a in authors
            if a in batch.counted or seen.get(a, SMALL).kind in (FanOutTier.LEAVING, FanOutTier.JOINING)
        ]
        if moving:
            counts = await self.facts.follower_counts(moving)
            now = self.clock()
            for account, count in counts.items():
                tier = seen.get(account, SMALL)
                kind = next_kind(tier, count, now, self.limits, self.keeping)
                if kind is not tier.kind:  # if another worker moved it first, the next event checks again
                    await self.rows.move(account, tier, kind)
        return seen

    async def _join(self, pairs: Sequence[tuple[AccountId, AccountId]]) -> None:
        """Deliver the newest entries of new followees. If a followee has more, the follower's floor is raised first."""
        if not pairs:
            return
        depth = self.limits.depth
        newest = await self.facts.newest(dict.fromkeys((a for _, a in pairs), NEWEST), depth + 1, self._oldest())
        floors: dict[AccountId, str] = {}
        deliveries: list[Delivery] = []
        for follower, followee in pairs:
            entries = newest[followee]
            if len(entries) > depth:
                floors[follower] = max(floors.get(follower, ""), entries[depth - 1].activity)
            deliveries += (Delivery(follower, entry) for entry in entries[:depth])
        if floors:
            await self.rows.raise_floors(floors)
        await self._deliver(deliveries)

    async def _welcome(self, batch: FanOutWork) -> None:
        if batch.returned:
            trusted = await self.rows.trusted(batch.returned)
            batch.begun.update((account, None) for account in batch.returned if account not in trusted)
        if batch.begun:
            await self.backfill(list(batch.begun))

    async def backfill(self, accounts: Sequence[AccountId]) -> None:
        """Write the newest `depth` entries into these timelines and set their floors; from the floor up they are
        complete.

        Deliveries go on meanwhile. They write first and backfill reads afterwards, so it finds the entries that they
        miss.
        """
        followees = await self.facts.followees(accounts)
        sources = {account: dict.fromkeys((account, *followees.get(account, ()))) for account in accounts}
        tiers = await self.rows.tiers(dict.fromkeys(source for each in sources.values() for source in each))
        for account in accounts:
            pushed = [source for source in sources[account] if tiers.get(source, SMALL).pushes]
            entries, floor = await self._newest(pushed)
            await self._deliver([Delivery(account, entry) for entry in entries])
            await self.rows.trust({account: floor})

    async def _newest(self, sources: Collection[AccountId]) -> tuple[list[Entry], str]:
        depth, oldest = self.limits.depth, self._oldest()
        merge = Merge(depth)
        merge.begin(sources, NEWEST)
        while wanting := merge.wanting():
            each = 2 + 2 * depth // len(wanting)
            pages = await self.facts.newest(wanting, each, oldest)
            merge.advance(pages, each)
            merge.add(entry for page in pages.values() for entry in page)
        entries, _ = merge.certain()
        return entries, entries[-1].activity if len(entries) == depth else oldest

    async def _push(self, pushes: Sequence[tuple[Record, Entry]]) -> None:
        """Deliver entries to all followers and to their author."""
        oldest = self._oldest()
        pushes = [push for push in pushes if push[1].activity >= oldest]
        if not pushes:
            return
        limits = self.limits
        first = await self.facts.followers(dict.fromkeys((entry.by for _, entry in pushes), None), limits.page)
        waiting: list[Delivery] = []
        for record, entry in pushes:
            page, after = first[entry.by], self._left_at(record)
            if after is not None:
                page = (await self.facts.followers({entry.by: after}, limits.page))[entry.by]
            waiting.append(Delivery(entry.by, entry))
            while True:
                waiting += (Delivery(follower, entry) for follower in page.items)
                if len(waiting) >= limits.at_once:
                    await self._deliver(waiting)
                    waiting = []
                    if page.next is not None:
                        await self._note({record.place: FanOutProgress(record.offset, page.next)})
                if page.next is None:
                    break
                page = (await self.facts.followers({entry.by: page.next}, limits.page))[entry.by]
        await self._deliver(waiting)

    def _left_at(self, record: Record) -> str | None:
        """Return the last follower that an interrupted fan-out of this event reached; None if there is none."""
        applied = self.applied.get(record.place, _START)
        return applied.after if applied.offset == record.offset else None

    async def _deliver(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            await self.rows.deliver(deliveries)

    def _oldest(self) -> str:
        return self.keeping.oldest_written(self.clock())
