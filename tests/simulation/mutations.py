"""Bugs to plant: each replaces one piece of the real code by a broken one, and the simulation has to notice.

A law is not proven until it has been seen to say no.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import msgspec

from command_api.deciding import Outcome, Refused
from command_api.domain.block_account import BLOCK_ACCOUNT
from command_api.domain.edit_tweet import EDIT_TWEET
from command_api.sqlite.rows import SqliteDecisionRows
from command_api.sqlite.store import SqliteCommandStore
from events.engagement import TweetUnliked
from events.event import BY_CLASS, Envelope
from events.first_copies import Entity
from events.graph import AccountUnfollowed
from events.ids import EventId, HybridClock, at_time, id_at, millis
from events.log import New, Positions, Record
from events.sqlite.group_commit import GroupCommit
from events.sqlite.records import LogTable
from events.tweets import TweetDeleted, TweetEdited
from projectors.counts import Counts
from projectors.graph import Graph
from runtime import processing
from runtime.embedded.applied import Applied
from runtime.embedded.rebuilding import Rebuild
from runtime.processing import Group
from stores.pages import Page
from stores.sqlite.home_feed import SqliteHomeFeed
from stores.sqlite.trends import SqliteTrendRows
from stores.sqlite.tweets import SqliteTweets
from stores.sqlite.views import SqliteSink
from stores.trends import HOUR
from streams.notifications import Notifications
from streams.stream import Stream

Planted = AbstractContextManager[None]
MUTATIONS: dict[str, Callable[[], Planted]] = {}


def mutation(plant: Callable[[], Iterator[Any]]) -> Callable[[], Planted]:
    """Make a bug that can be planted by its name; it is there until what `plant` enters is left again."""

    @contextmanager
    def planted() -> Iterator[None]:
        with ExitStack() as stack:
            for change in plant():
                stack.enter_context(change)
            yield

    MUTATIONS[plant.__name__] = planted
    planted.__doc__ = plant.__doc__
    return planted


def deciding(decision: Any, decide: Callable[..., Any]) -> Any:
    """Another way to decide a kind of command."""

    @contextmanager
    def replaced() -> Iterator[None]:
        right = decision.decide
        object.__setattr__(decision, "decide", decide)
        try:
            yield
        finally:
            object.__setattr__(decision, "decide", right)

    return replaced()


def without(handles: Any, event: type) -> Any:
    """Somebody who does not handle an event."""
    return patch.object(handles, "handlers", {e: h for e, h in handles.handlers.items() if e is not event})


# Order and copies


@mutation
def clock_runs_behind() -> Iterator[Any]:
    """Ids come from the wall clock of the process, even if that is behind the one of the process before."""
    yield patch.object(HybridClock, "observe", lambda self, newest: None)


@mutation
def ids_go_on_from_the_last_records() -> Iterator[Any]:
    """A new process takes the last record of each partition for its newest, though it may be a copy of an old one."""

    def newest_id(self: LogTable) -> str | None:
        last = [self.read(place, end - 1, 1)[0].about.id for place, end in self.ends().items()]
        return max(last, default=None)

    yield patch.object(LogTable, "newest_id", newest_id)


@mutation
def copy_at_another_offset_is_counted() -> Iterator[Any]:
    """What was read before is told by its offset, which a second copy does not share."""
    right = Group.apply

    async def apply(self: Group, records: Sequence[Record], positions: Positions) -> int:
        applied = await self.sink.positions()
        fresh = {(r.place, r.offset): r for r in records if r.offset >= applied.get(r.place, 0)}
        with patch.object(processing, "first_copies", lambda records, newest: list(records)):
            return await right(self, list(fresh.values()), positions)

    yield patch.object(Group, "apply", apply)


@mutation
def fold_by_arrival() -> Iterator[Any]:
    """Only a repetition of the last event is dropped: an older one that arrives late is folded over newer ones."""

    def arrivals(records: Sequence[Record], newest: dict[Entity, str]) -> list[Record]:
        fresh = []
        for record in records:
            entity = (record.topic, record.key)
            if newest.get(entity) != record.about.id:
                newest[entity] = record.about.id
                fresh.append(record)
        return fresh

    yield patch.object(processing, "first_copies", arrivals)


@mutation
def copies_are_told_by_batch() -> Iterator[Any]:
    """A batch that begins with something old is taken for a repetition of an old batch."""
    right = processing.first_copies

    def by_batch(records: Sequence[Record], newest: dict[Entity, str]) -> list[Record]:
        first = records[0]
        if first.about.id <= newest.get((first.topic, first.key), ""):
            return []
        return right(records, newest)

    yield patch.object(processing, "first_copies", by_batch)


# Positions and transactions


@mutation
def position_before_effects() -> Iterator[Any]:
    """The position is written first, then the effects: a crash in between skips them for ever."""
    right = Group.apply

    async def apply(self: Group, records: Sequence[Record], positions: Positions) -> int:
        await self.sink.begin()
        await self.sink.commit(positions, {})
        return await right(self, records, positions)

    yield patch.object(Group, "apply", apply)


@mutation
def position_after_effects() -> Iterator[Any]:
    """The effects are committed first, then the position and the newest ids: a crash in between doubles them."""
    right = SqliteSink.commit

    async def commit(self: SqliteSink, positions: Positions, newest: Mapping[Entity, str]) -> None:
        self._connection.execute("COMMIT")
        self._connection.execute("BEGIN IMMEDIATE")
        await right(self, positions, newest)

    yield patch.object(SqliteSink, "commit", commit)


@mutation
def token_is_honoured_early() -> Iterator[Any]:
    """A read with a token goes ahead before the read models have come so far."""

    async def wait_for(self: Applied, positions: Positions, timeout: float) -> bool:
        return True

    yield patch.object(Applied, "wait_for", wait_for)


@mutation
def token_of_nothing_to_do_names_nothing() -> Iterator[Any]:
    """A command that changes nothing is answered with a token that waits for nothing."""
    yield patch.object(SqliteCommandStore, "_ends", lambda self, decision, command: Positions())


@mutation
def rebuild_misses_the_last_batch() -> Iterator[Any]:
    """A rebuild goes up to where the live read models stood when it began, and becomes current there."""

    async def turn(self: Any, live: Positions, limit: int) -> bool:
        began = self.__dict__.setdefault("began", Positions(live))
        self._runner.limit = limit
        await self._runner.turn(until=began)
        return bool(self._runner.positions.covers(began))

    yield patch.object(Rebuild, "turn", turn)


# Deciding


@mutation
def refused_by_what_is_not_stored() -> Iterator[Any]:
    """A refusal is told at once, though what it goes by may never reach the disk."""
    right = GroupCommit._run_waiting

    def run_waiting(self: GroupCommit, batch: list[Any]) -> None:
        right(self, batch)
        for waiting in batch:
            if waiting.error is not None:
                waiting.tell()

    yield patch.object(GroupCommit, "_run_waiting", run_waiting)


@mutation
def acknowledged_before_commit() -> Iterator[Any]:
    """Clients are answered as soon as their commands have run, before the disk has them."""
    right = GroupCommit._run_waiting

    def run_waiting(self: GroupCommit, batch: list[Any]) -> None:
        right(self, batch)
        for waiting in batch:
            if not waiting.future.done():
                waiting.future.set_result(waiting.result)

    yield patch.object(GroupCommit, "_run_waiting", run_waiting)


@mutation
def unlike_does_not_see_its_like() -> Iterator[Any]:
    """A decision is made from what is committed: an unlike is answered before the like ahead of it is stored."""
    right = SqliteCommandStore._decide

    def decide(self: SqliteCommandStore, *arguments: Any) -> Any:
        with patch.object(self, "_rows", self._reader):
            return right(self, *arguments)

    yield patch.object(SqliteCommandStore, "_decide", decide)


@mutation
def decision_state_is_not_rolled_back() -> Iterator[Any]:
    """Likes are remembered in memory as well, where a commit that failed leaves them."""
    liked: dict[tuple[int, str, str], bool] = {}
    right_like, right_answer = SqliteDecisionRows.like, SqliteDecisionRows._engagement_of

    def like(self: SqliteDecisionRows, actor: Any, tweet: Any, there: bool) -> None:
        liked[id(self), actor, tweet] = there
        right_like(self, actor, tweet, there)

    def engagement_of(self: SqliteDecisionRows, question: Any) -> Any:
        found = right_answer(self, question)
        remembered = liked.get((id(self), question.account, question.tweet), found.liked)
        return dataclasses.replace(found, liked=remembered)

    yield patch.object(SqliteDecisionRows, "like", like)
    yield patch.object(SqliteDecisionRows, "_engagement_of", engagement_of)


@mutation
def idempotency_record_outside_the_transaction() -> Iterator[Any]:
    """The answer is remembered in a transaction of its own: a crash in between forgets that there was one."""
    right = SqliteCommandStore.execute

    async def execute(self: SqliteCommandStore, decision: Any, command: Any, context: Any, answering: Any) -> Outcome:
        once = context.idempotency
        if once is None:
            return await right(self, decision, command, context, answering)
        remembered = await self._commits.run(lambda: self._remembered(once))
        if remembered is not None:
            return remembered
        try:
            bare = dataclasses.replace(context, idempotency=None)
            outcome = await right(self, decision, command, bare, answering)
        except Refused as refusal:
            outcome = Outcome(answering.refused(refusal), self._ends(decision, command))
        answer = outcome.answer
        headers = msgspec.json.encode(answer.headers)
        row = (once.user, once.key, once.fingerprint, answer.status, answer.body, headers, str(outcome.positions))
        statement = "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        now = self._writer.ids.now()
        await self._commits.run(lambda: self._commits.connection.execute(statement, (*row, now)))
        return outcome

    yield patch.object(SqliteCommandStore, "execute", execute)


@mutation
def idempotency_key_answers_any_request() -> Iterator[Any]:
    """The key alone is compared, and not what the request says."""
    right = SqliteCommandStore._remembered

    def remembered(self: SqliteCommandStore, once: Any) -> Outcome | None:
        connection = self._commits.connection
        row: Any = connection.execute(
            "SELECT fingerprint FROM idempotency WHERE user=? AND key=?", (once.user, once.key)
        ).fetchone()
        return right(self, once if row is None else dataclasses.replace(once, fingerprint=row[0]))

    yield patch.object(SqliteCommandStore, "_remembered", remembered)


@mutation
def block_leaves_one_direction() -> Iterator[Any]:
    """A block ends the blocker's follow only: the other one goes on following."""
    right = BLOCK_ACCOUNT.decide

    def decide(command: Any, state: Any) -> Any:
        return right(
            command, dataclasses.replace(state, relation=dataclasses.replace(state.relation, followed_by=False))
        )

    yield deciding(BLOCK_ACCOUNT, decide)


@mutation
def edit_ignores_if_match() -> Iterator[Any]:
    """An edit is taken whatever version its author has seen."""
    right = EDIT_TWEET.decide
    yield deciding(EDIT_TWEET, lambda command, state: right(dataclasses.replace(command, if_version=None), state))


# What is derived, and what is read


@mutation
def unfollow_deletes_timeline_rows() -> Iterator[Any]:
    """An unfollow takes its rows out of the home timeline, and following again brings none of them back."""
    dropped: dict[tuple[str, str], str] = {}
    right_unfollowed, right_page = Graph.handlers[AccountUnfollowed], SqliteHomeFeed.page

    def unfollowed(self: Graph, event: AccountUnfollowed, about: Envelope) -> None:
        right_unfollowed(self, event, about)
        dropped[event.follower, event.followee] = at_time(about.id, about.time)

    async def page(self: SqliteHomeFeed, viewer: Any, before: str | None, limit: int) -> Page[Any]:
        found = await right_page(self, viewer, before, limit)
        return Page([a for a in found.items if a.id > dropped.get((viewer, a.by), "")], found.next)

    yield patch.object(Graph, "handlers", Graph.handlers | {AccountUnfollowed: unfollowed})
    yield patch.object(SqliteHomeFeed, "page", page)


@mutation
def window_is_closed_by_a_watermark() -> Iterator[Any]:
    """Tweets that come an hour after something newer count in no trend."""
    newest = [0]
    right = SqliteTrendRows.posted

    def posted(self: SqliteTrendRows, tweet: Any, author: Any, tags: Mapping[str, str]) -> None:
        newest[0] = max(newest[0], millis(tweet))
        if millis(tweet) > newest[0] - HOUR:
            right(self, tweet, author, tags)

    yield patch.object(SqliteTrendRows, "posted", posted)


@mutation
def mention_is_resolved_when_read() -> Iterator[Any]:
    """A mention means whoever has the name when the tweet is read."""
    right_init, right_by_ids = SqliteTweets.__init__, SqliteTweets.by_ids

    def init(self: Any, connection: Any, names: Mapping[str, str], *more: Any) -> None:
        right_init(self, connection, names, *more)
        self.named = lambda name: (
            connection.execute(f"SELECT id FROM {names['users']} WHERE folded=?", (name.lower(),)).get
        )

    async def by_ids(self: Any, tweets: Any) -> Any:
        found = await right_by_ids(self, tweets)
        for id_, row in found.items():
            if row.entities:
                entities = msgspec.json.decode(row.entities)
                for mention in entities["mentions"]:
                    mention["account"] = self.named(mention["username"])
                found[id_] = msgspec.structs.replace(row, entities=msgspec.json.encode(entities))
        return found

    yield patch.object(SqliteTweets, "__init__", init)
    yield patch.object(SqliteTweets, "by_ids", by_ids)


@mutation
def cursor_by_offset() -> Iterator[Any]:
    """A page of the feed begins so many items after the first, whatever came in since."""
    right = SqliteHomeFeed.page

    async def page(self: SqliteHomeFeed, viewer: Any, before: str | None, limit: int) -> Page[Any]:
        start = int(before or 0)
        items = (await right(self, viewer, None, start + limit + 1)).items
        return Page(items[start : start + limit], str(start + limit) if len(items) > start + limit else None)

    yield patch.object(SqliteHomeFeed, "page", page)


@mutation
def deleting_is_not_counted() -> Iterator[Any]:
    """Counters go up with a tweet, and not down again with its deletion."""
    yield without(Counts, TweetDeleted)


@mutation
def notification_stays_after_unlike() -> Iterator[Any]:
    """A like that was taken back is still told of."""
    yield without(Notifications, TweetUnliked)


@mutation
def notified_twice_by_an_edit() -> Iterator[Any]:
    """An edit tells everybody whom the tweet mentions, told before or not."""
    right = Notifications.handlers[TweetEdited]

    def edited(self: Notifications, event: TweetEdited, about: Envelope) -> None:
        with patch.object(type(self._raised), "of", lambda self, actor, about: []):
            right(self, event, about)

    yield patch.object(Notifications, "handlers", Notifications.handlers | {TweetEdited: edited})


@mutation
def derived_ids_by_chance() -> Iterator[Any]:
    """A derived record has an id of the moment it was derived, so that deriving it again makes another one."""
    made = [0]

    def emit(self: Stream, event: Any, source: Envelope, time: Any = None) -> None:
        made[0] += 1
        kind = BY_CLASS[type(event)]
        id_ = EventId(id_at(millis(source.id), kind.topic, kind.key(event), str(made[0])))
        self._emit(New(event, Envelope(id_, source.time if time is None else time, causation=source.id)))

    yield patch.object(Stream, "emit", emit)
