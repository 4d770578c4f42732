"""Bugs to plant: each replaces one piece of the real code by a broken one, and the simulation has to notice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from unittest.mock import patch

from events.event import Envelope
from events.ids import AccountId, millis
from events.log import Positions, Record, TopicPartition
from events.tweets import TweetPosted
from projectors import fan_out
from projectors.fan_out import FanOut, FanOutWork
from projectors.tiers import next_kind
from stores.cached.home_timelines import RememberedHomeTimelines
from stores.composed.home_feed import HybridHomeFeed
from stores.composed.merged_timelines import Merge
from stores.home_timelines import Delivery, Entry, FanOutProgress, FanOutTier, Keeping, Tier
from stores.pages import Page
from stores.user_timelines import Activity

from ..planting import Planted, plantable
from .cassandra import MemoryFacts, MemoryHomeTimelines, MemoryReading
from .workers import Worker

BUGS: dict[str, Callable[[], Planted]] = {}


RARE = frozenset({"change_of_a_tier_is_dated_by_whoever_decided_it", "tier_is_set_whatever_it_is_meanwhile"})
"""Those that take a worker to be held up in one place for long: found by a situation of their own."""


def bug(plant: Callable[[], Iterator[Any]]) -> Callable[[], Planted]:
    """Make a bug that can be planted by its name."""
    BUGS[plant.__name__] = planted = plantable(plant)
    return planted


# Order


@bug
def reads_the_others_fact_before_its_own_is_written() -> Iterator[Any]:
    """The race of a follow and a tweet: neither sees the other."""
    right = FanOut._note

    async def later(self: FanOut, batch: FanOutWork) -> None:
        pass

    async def note(self: FanOut, reached: dict[TopicPartition, FanOutProgress]) -> None:
        await self.facts.write(self._batch.follows, self._batch.activities)
        await right(self, reached)

    yield patch.object(FanOut, "_write_facts", later)
    yield patch.object(FanOut, "_note", note)


@bug
def timeline_is_trusted_before_its_rows_are_there() -> Iterator[Any]:
    """A backfill that says first that it is done."""
    right = FanOut.backfill

    async def backfill(self: FanOut, accounts: Sequence[AccountId]) -> None:
        await self.rows.trust(dict.fromkeys(accounts, self._oldest()))
        await right(self, accounts)

    yield patch.object(FanOut, "backfill", backfill)


@bug
def progress_is_noted_before_rows_are_delivered() -> Iterator[Any]:
    """A position that says more than is there."""
    right = FanOut._push

    async def push(self: FanOut, pushes: Sequence[tuple[Record, Entry]]) -> None:
        await self.rows.note({record.place: FanOutProgress(record.offset + 1) for record, _ in pushes})
        await right(self, pushes)

    yield patch.object(FanOut, "_push", push)


# Timestamps


@bug
def unfollow_deletes_rows() -> Iterator[Any]:
    """A tombstone hides what following again brings back: the rows are older than it is."""
    right = FanOut._write_facts

    async def facts(self: FanOut, batch: FanOutWork) -> None:
        await right(self, batch)
        assert isinstance(self.rows, MemoryHomeTimelines)
        for fact in batch.follows:
            rows = self.rows.rows[fact.follower]
            for key, cell in list(rows.cells.items()):
                if not fact.there and cell.value is not None and cell.value.by == fact.followee:
                    rows.put(key, None, fact.written)

    yield patch.object(FanOut, "_write_facts", facts)


@bug
def timestamps_are_plain_milliseconds() -> Iterator[Any]:
    """An unfollow and a follow in the same millisecond tie, and then the removal wins."""
    yield patch.object(fan_out, "timestamp", lambda id_: millis(id_) << 12)


@bug
def floor_is_what_was_written_last() -> Iterator[Any]:
    """A floor comes down again, to where there are no rows."""
    right = MemoryHomeTimelines.raise_floors

    async def put(self: MemoryHomeTimelines, floors: dict[AccountId, str]) -> None:
        for account in floors:
            self.floors.cells.pop(account, None)
        await right(self, floors)

    async def trust(self: MemoryHomeTimelines, floors: dict[AccountId, str]) -> None:
        await put(self, floors)
        self.whole.update(floors)

    yield patch.object(MemoryHomeTimelines, "raise_floors", put)
    yield patch.object(MemoryHomeTimelines, "trust", trust)


# Redelivery


@bug
def guard_is_by_batch() -> Iterator[Any]:
    """A batch whose first records were applied counts as applied, although it ends later."""

    def unapplied(self: FanOut, records: Iterable[Record]) -> list[Record]:
        records = list(records)
        first = {record.place: record.offset for record in reversed(records)}
        applied = {place for place, at in first.items() if at < self.applied.get(place, FanOutProgress()).offset}
        return [record for record in records if record.place not in applied]

    yield patch.object(FanOut, "unapplied", unapplied)


@bug
def resumes_from_the_groups_offset() -> Iterator[Any]:
    """A worker continues after the records that it fetched, not after those that were applied."""

    async def positions(self: Worker, fan_out: FanOut) -> Positions:
        await fan_out.resume(self.places)
        return Positions((place, self.fetched.get(place, 0)) for place in self.places)

    yield patch.object(Worker, "positions", positions)


@bug
def cursor_of_a_fan_out_is_taken_for_any_event() -> Iterator[Any]:
    """Where one tweet's deliveries stopped, those of the next begin."""

    def left_at(self: FanOut, record: Record) -> str | None:
        applied = self.applied.get(record.place, FanOutProgress())
        return applied.after if record.offset >= applied.offset else None

    yield patch.object(FanOut, "_left_at", left_at)


# Tiers


def other_tiers(change: Callable[[FanOutTier], FanOutTier]) -> Any:
    """Another rule: of what would be right, something else."""
    return patch.object(fan_out, "next_kind", lambda *arguments: change(next_kind(*arguments)))


@bug
def pushed_again_without_backfill_or_waiting() -> Iterator[Any]:
    """What was posted while an author was pulled is in nobody's timeline."""
    yield other_tiers(lambda right: FanOutTier.PUSHED if right is FanOutTier.JOINING else right)


@bug
def pulled_before_every_reader_knows() -> Iterator[Any]:
    """Readers that took the list of pulled authors a moment ago go by it, and nothing is pushed any more."""
    yield other_tiers(lambda right: FanOutTier.PULLED if right is FanOutTier.LEAVING else right)


@bug
def change_of_a_tier_is_dated_by_whoever_decided_it() -> Iterator[Any]:
    """A worker that was held up in between makes a change that looks as if it had been there for long."""
    right = MemoryHomeTimelines.move

    async def move(self: MemoryHomeTimelines, account: AccountId, seen: Tier, to: FanOutTier) -> bool:
        decided = self.now()
        if not await right(self, account, seen, to):
            return False
        self.tiers_now[account] = self.tiers_now[account]._replace(since=decided)
        return True

    yield patch.object(MemoryHomeTimelines, "move", move)


@bug
def authors_between_tiers_are_not_pulled() -> Iterator[Any]:
    """The list of pulled authors leaves out those on their way."""

    async def pulled(self: MemoryReading) -> frozenset[AccountId]:
        return frozenset(a for a, tier in self._home.tiers_now.items() if tier.kind is FanOutTier.PULLED)

    yield patch.object(MemoryReading, "pulled", pulled)


@bug
def authors_between_tiers_are_not_pushed() -> Iterator[Any]:
    """Nothing is pushed until all is pulled no more."""
    yield patch.object(Tier, "pushes", property(lambda tier: tier.kind is FanOutTier.PUSHED))


@bug
def tier_is_set_whatever_it_is_meanwhile() -> Iterator[Any]:
    """Two workers change a tier, each from what it saw."""

    async def move(self: MemoryHomeTimelines, account: AccountId, seen: Tier, to: FanOutTier) -> bool:
        await self._step()
        self.change(account, Tier(to, self.now(), seen.change + 1))
        return True

    yield patch.object(MemoryHomeTimelines, "move", move)


# Floors and the seam


@bug
def expired_rows_are_relied_on() -> Iterator[Any]:
    """The floor does not rise before rows go."""
    yield patch.object(Keeping, "oldest_trusted", lambda self, now: "")


@bug
def follow_of_a_busy_account_leaves_the_floor() -> Iterator[Any]:
    """Only so many of its tweets are written, and the timeline claims to have all."""

    async def nothing(self: MemoryHomeTimelines, floors: dict[AccountId, str]) -> None:
        pass

    yield patch.object(MemoryHomeTimelines, "raise_floors", nothing)


@bug
def seam_loses_a_row() -> Iterator[Any]:
    """The floor itself is in neither part."""
    right = MemoryReading.read

    async def read(self: MemoryReading, viewer: AccountId, rows: Any, *rest: Any) -> Any:
        found, pages = await right(self, viewer, rows, *rest)
        return [row for row in found if row.activity > rows[1]], pages

    yield patch.object(MemoryReading, "read", read)


@bug
def feed_ends_with_its_rows() -> Iterator[Any]:
    """Below the floor there is nothing."""
    right = Merge.begin

    def begin(self: Merge, accounts: Iterable[AccountId], before: str) -> None:
        if not self.__dict__.setdefault("begun", []):
            right(self, accounts, before)
        self.__dict__["begun"].append(before)

    yield patch.object(Merge, "begin", begin)


# What is pushed and what is shown


@bug
def follow_brings_nothing() -> Iterator[Any]:
    """A follow shows only what comes from then on."""

    async def nothing(self: FanOut, pairs: Any) -> None:
        pass

    yield patch.object(FanOut, "_join", nothing)


@bug
def reply_is_pushed_to_those_who_follow_both_now() -> Iterator[Any]:
    """Whoever follows the one replied to later on never sees it."""
    right = MemoryHomeTimelines.deliver

    async def deliver(self: MemoryHomeTimelines, deliveries: Sequence[Delivery]) -> None:
        facts = self.__dict__["facts"]
        await right(
            self, [d for d in deliveries if d.entry.reply_to in (None, d.viewer, *facts.follows[d.viewer].ids())]
        )

    right_init = FanOut.__init__

    def init(self: FanOut, facts: MemoryFacts, rows: MemoryHomeTimelines, *rest: Any) -> None:
        right_init(self, facts, rows, *rest)
        rows.__dict__["facts"] = facts

    yield patch.object(FanOut, "__init__", init)
    yield patch.object(MemoryHomeTimelines, "deliver", deliver)


@bug
def unfollowed_rows_are_shown() -> Iterator[Any]:
    """What was pushed is shown, whoever is followed now."""
    right = HybridHomeFeed._there

    async def there(self: HybridHomeFeed, rows: list[Entry]) -> list[Entry]:
        return await right(self, self.__dict__.pop("rows", rows))

    right_read = RememberedHomeTimelines.read

    async def read(self: RememberedHomeTimelines, *arguments: Any) -> Any:
        rows, pages = await right_read(self, *arguments)
        self.__dict__["feed"].__dict__["rows"] = rows
        return rows, pages

    right_page = HybridHomeFeed.page

    async def page(self: HybridHomeFeed, viewer: AccountId, before: str | None, limit: int) -> Page[Activity]:
        self._timelines.__dict__["feed"] = self
        return await right_page(self, viewer, before, limit)

    yield patch.object(HybridHomeFeed, "_there", there)
    yield patch.object(RememberedHomeTimelines, "read", read)
    yield patch.object(HybridHomeFeed, "page", page)


@bug
def undone_retweets_are_shown() -> Iterator[Any]:
    """A row stays when its retweet is undone, and nobody looks."""

    async def there(self: HybridHomeFeed, rows: list[Entry]) -> list[Entry]:
        return rows

    yield patch.object(HybridHomeFeed, "_there", there)


@bug
def retweet_and_original_are_one_item() -> Iterator[Any]:
    """A tweet is shown once, so the original goes when somebody passes it on."""

    def add(self: Merge, entries: Iterable[Entry]) -> None:
        for entry in entries:
            shown = [e.activity for e in self._found.values() if e.tweet == entry.tweet]
            if not shown:
                self._found[entry.activity] = entry

    yield patch.object(Merge, "add", add)


@bug
def retweet_has_the_place_of_its_tweet() -> Iterator[Any]:
    """A row for the tweet, and not for the activity."""
    right = FanOut._appears

    def appears(self: FanOut, entry: Entry) -> None:
        right(self, entry)
        record, pushed = self._batch.pushes[-1]
        self._batch.pushes[-1] = (record, pushed._replace(activity=pushed.tweet))  # type: ignore[arg-type]

    yield patch.object(FanOut, "_appears", appears)


@bug
def cursor_by_offset() -> Iterator[Any]:
    """A page begins so many items after the first, whatever came in since."""
    right = HybridHomeFeed.page

    async def page(self: HybridHomeFeed, viewer: AccountId, before: str | None, limit: int) -> Page[Activity]:
        start = int(before or 0)
        items = (await right(self, viewer, None, start + limit + 1)).items
        return Page(items[start : start + limit], str(start + limit) if len(items) > start + limit else None)

    yield patch.object(HybridHomeFeed, "page", page)


@bug
def posts_are_pushed_and_not_kept() -> Iterator[Any]:
    """A tweet whose author's timeline does not have it is found by nobody who follows later."""
    right = FanOut.handlers[TweetPosted]

    def posted(self: FanOut, event: TweetPosted, about: Envelope) -> None:
        right(self, event, about)
        if event.reply_to is not None:
            self._batch.activities.pop()

    yield patch.object(FanOut, "handlers", FanOut.handlers | {TweetPosted: posted})
