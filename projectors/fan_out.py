"""Fan-out: what somebody posts or passes on is put into the home timelines of those who follow.

A tweet and a follow of its author arrive at the same time, at two workers. **Each writes its own fact first, durably,
and then reads the other's**: the tweet its followers, the follow its followee's newest. So at least one of them sees
the other, and where both do, the row is written twice, which is once. Everything here keeps to that order: a batch's
facts are written before anything is read; a tier is read after an activity is there, and set before what it lets be
missed.

Unfollows, blocks, mutes and deletions remove no row: a removal would be newer than what a later backfill has to write,
and hide it. They are facts, looked at by whoever reads.

Every write is guarded by the event's own time in the store, so that copies, redelivery and a worker that is slow to
learn it was replaced change nothing. Beside that there is one guard, by offset and event by event, since a second
delivery has other batch limits.

Costs: a row a follower and activity; `depth` rows a follow; one read of followers an author and batch.
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
    Facts,
    FollowFact,
    HomeTimelineRows,
    Keeping,
    Kind,
    Progress,
    Tier,
)

from .tiers import Limits, next_kind

_START = Progress()


@dataclass(slots=True)
class Batch:
    """What the events of a batch ask for."""

    follows: list[FollowFact] = field(default_factory=list)
    activities: list[ActivityFact] = field(default_factory=list)
    joins: dict[tuple[AccountId, AccountId], None] = field(default_factory=dict)
    """Follower and followee."""
    counted: dict[AccountId, None] = field(default_factory=dict)
    """Accounts that have another number of followers."""
    begun: dict[AccountId, None] = field(default_factory=dict)
    returned: dict[AccountId, None] = field(default_factory=dict)
    pushes: list[tuple[Record, Entry]] = field(default_factory=list)


class FanOut(Handles):
    """Keeps home timelines. One worker's: it begins with `resume`, and goes on with `apply`, a batch at a time.

    After StoreUnavailable the same records, or others from the same positions on, can be given again.
    """

    def __init__(
        self,
        facts: Facts,
        rows: HomeTimelineRows,
        clock: Clock = wall_clock,
        limits: Limits | None = None,
        keeping: Keeping | None = None,
    ) -> None:
        self.facts = facts
        self.rows = rows
        self.clock = clock
        self.limits = limits or Limits()
        self.keeping = keeping or Keeping()
        self.landed: dict[TopicPartition, Progress] = {}
        self._batch = Batch()
        self._record: Record | None = None
        self._noting = True

    # What each event asks for

    @on(AccountRegistered)
    def registered(self, event: AccountRegistered, about: Envelope) -> None:
        """A timeline begins; in a rebuild it is whole again from here on."""
        self._batch.begun[event.account] = None

    @on(AccountActive)
    def active(self, event: AccountActive, about: Envelope) -> None:
        """Somebody is there, perhaps after a long time: a timeline that was lost is made again."""
        self._batch.returned[event.account] = None

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """A post, or a reply. It is put before all followers: whom they will follow when they read, nobody knows."""
        replied = event.reply_to.author if event.reply_to else None
        self._appears(Entry(ActivityId(event.tweet), event.tweet, event.author, replied, timestamp(about.id)))

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Its rows stay; whoever reads finds the tweet gone."""
        self._disappears(event.author, ActivityId(event.tweet), event.tweet, about)

    @on(TweetRetweeted)
    def retweeted(self, event: TweetRetweeted, about: Envelope) -> None:
        """A retweet: an activity of its own, beside the original's."""
        self._appears(Entry(event.retweet, event.tweet, event.actor, None, timestamp(about.id)))

    @on(RetweetUndone)
    def undone(self, event: RetweetUndone, about: Envelope) -> None:
        """Its rows stay; whoever reads finds it undone."""
        self._disappears(event.actor, event.retweet, event.tweet, about)

    @on(AccountFollowed)
    def followed(self, event: AccountFollowed, about: Envelope) -> None:
        """A follow brings what the followee posted before."""
        self._batch.follows.append(FollowFact(event.follower, event.followee, True, timestamp(about.id)))
        self._batch.joins[event.follower, event.followee] = None
        self._batch.counted[event.followee] = None

    @on(AccountUnfollowed)
    def unfollowed(self, event: AccountUnfollowed, about: Envelope) -> None:
        """Rows stay; whoever reads finds their author no longer followed."""
        self._batch.follows.append(FollowFact(event.follower, event.followee, False, timestamp(about.id)))
        self._batch.counted[event.followee] = None

    def _appears(self, entry: Entry) -> None:
        assert self._record is not None
        self._batch.activities.append(ActivityFact(entry, True, entry.written))
        self._batch.pushes.append((self._record, entry))

    def _disappears(self, by: AccountId, activity: ActivityId, tweet: TweetId, about: Envelope) -> None:
        written = timestamp(about.id)
        self._batch.activities.append(ActivityFact(Entry(activity, tweet, by, None, written), False, written))

    # Landing batches

    async def resume(self, places: Iterable[TopicPartition]) -> Positions:
        """Where to read on in these partitions: where the timelines stand, whatever a consumer group believes."""
        places = list(places)
        self.landed = await self.rows.progress(places)
        return Positions((place, self.landed.get(place, _START).offset) for place in places)

    async def apply(self, records: Sequence[Record]) -> None:
        """Land records, each partition's in order. Raises StoreUnavailable."""
        self.begin()
        unlanded = self.unlanded(records)
        for record in unlanded:
            if record.event is not None:
                self.applying(record)
                self.handle(record.event, record.about)
        await self.land(positions_after(unlanded))

    def unlanded(self, records: Iterable[Record]) -> list[Record]:
        """The records that have not landed yet."""
        return [record for record in records if record.offset >= self.landed.get(record.place, _START).offset]

    def begin(self) -> None:
        """Begin a batch."""
        self._batch, self._record = Batch(), None

    def applying(self, record: Record) -> None:
        """What is asked for from now on is the doing of this record."""
        self._record = record

    async def land(self, reached: Positions) -> None:
        """Land the batch, which ends at `reached`. Raises StoreUnavailable.

        It is empty where the records were set aside and the positions have passed them: nothing is noted of these.
        """
        batch, self._noting = self._batch, bool(reached)
        await self._write_facts(batch)
        tiers = await self._tiers(batch)
        await self._join([pair for pair in batch.joins if tiers.get(pair[1], SMALL).pushes])
        await self._welcome(batch)
        await self._push([push for push in batch.pushes if tiers.get(push[1].by, SMALL).pushes])
        news = ((place, end) for place, end in reached.items() if end > self.landed.get(place, _START).offset)
        await self._note({place: Progress(end) for place, end in news})

    async def _write_facts(self, batch: Batch) -> None:
        if batch.follows or batch.activities:
            await self.facts.write(batch.follows, batch.activities)

    async def _note(self, reached: dict[TopicPartition, Progress]) -> None:
        if reached and self._noting:
            await self.rows.note(reached)
            self.landed.update(reached)

    async def _tiers(self, batch: Batch) -> dict[AccountId, Tier]:
        """The tiers of those that the batch is about, as they were before what this changes in them."""
        authors = dict.fromkeys(entry.by for _, entry in batch.pushes) | batch.counted
        if not authors:
            return {}
        seen = await self.rows.tiers(authors)
        moving = [a for a in authors if a in batch.counted or seen.get(a, SMALL).kind in (Kind.LEAVING, Kind.JOINING)]
        if moving:
            counts = await self.facts.follower_counts(moving)
            now = self.clock()
            for account, count in counts.items():
                tier = seen.get(account, SMALL)
                kind = next_kind(tier, count, now, self.limits, self.keeping)
                if kind is not tier.kind:  # if another worker was faster, its next event looks again
                    await self.rows.move(account, tier, kind)
        return seen

    async def _join(self, pairs: Sequence[tuple[AccountId, AccountId]]) -> None:
        """Give followers the newest of those whom they follow now; where there is more, the floor says so first."""
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

    async def _welcome(self, batch: Batch) -> None:
        if batch.returned:
            trusted = await self.rows.trusted(batch.returned)
            batch.begun.update((account, None) for account in batch.returned if account not in trusted)
        if batch.begun:
            await self.backfill(list(batch.begun))

    async def backfill(self, accounts: Sequence[AccountId]) -> None:
        """Make timelines what the definition says: the newest `depth` entries, and from there on up whole.

        Deliveries go on meanwhile. What it writes, it reads after they do; so what they miss, it finds.
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
        """Deliver entries to all followers, and to their own author, who is one of them."""
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
                        await self._note({record.place: Progress(record.offset, page.next)})
                if page.next is None:
                    break
                page = (await self.facts.followers({entry.by: page.next}, limits.page))[entry.by]
        await self._deliver(waiting)

    def _left_at(self, record: Record) -> str | None:
        """Where the fan-out of this event goes on."""
        landed = self.landed.get(record.place, _START)
        return landed.after if landed.offset == record.offset else None

    async def _deliver(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            await self.rows.deliver(deliveries)

    def _oldest(self) -> str:
        return self.keeping.oldest_written(self.clock())
