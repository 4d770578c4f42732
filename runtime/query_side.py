"""Builds the dependencies of the query API, in the same way for both profiles."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from events.engagement import TweetRetweeted
from events.ids import AccountId, ActivityId, Clock, Millis, TweetId
from events.log import LogReader, Positions, Record
from events.tweets import TweetPosted
from query_api.feeds import feed_item_of_each
from query_api.hydration import counts_of, hydrate
from query_api.notifications import as_raised
from query_api.rankings import KeptAnswers, Rankings
from query_api.realtime import WATCHED, Hub, HubQueries
from query_api.routes.stream import Streams
from query_api.serving import Queries
from rest import resources
from rest.revocations import Revocations
from rest.shares import Shares
from rest.signing import Cursors
from rest.tickets import Tickets
from stores.notifications import Notification
from stores.readers import Readers
from stores.user_timelines import Activity

from . import metrics
from .settings import Settings
from .telemetry import logger


class QuerySide:
    """The dependencies of the query API's routes. `advanced` wakes its open streams.

    `logs` hold the source topics and the derived ones; `applied` has the positions of the read models. `kept_answers`
    are the rankings of trends that all processes share; without it each process has its own.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        readers: Callable[[], Readers],
        logs: Sequence[LogReader],
        applied: Callable[[], Positions],
        token_key: bytes,
        tickets: Tickets,
        revocations: Revocations,
        clock: Clock,
        link: Callable[[str, Millis], str],
        kept_answers: KeptAnswers | None = None,
    ) -> None:
        cursors = Cursors(token_key)
        self.queries = Queries(
            readers=readers,
            cursors=cursors,
            now=clock,
            rankings=Rankings(time.perf_counter, kept_answers),
            link=link,
        )
        self.hub = Hub(logs, views(readers), applied)
        self.streams = Streams(
            self.hub,
            cursors,
            redeem=tickets.redeem,
            still_holds=lambda viewer: not revocations.is_revoked(viewer.session),
            most=settings.max_streams,
            of_account=Shares("streams of an account", settings.max_streams_of_account),
            of_address=Shares("streams of an address", settings.max_streams_of_address),
        )
        self._moved = False
        self._delivering: asyncio.Task[None] | None = None
        metrics.OPEN_STREAMS.set_function(lambda: self.hub.open)

    def advanced(self) -> None:
        """Wake the streams: the read models have advanced, or a derived record was appended."""
        self._moved = True
        if self.hub.open and self._delivering is None:
            self._delivering = asyncio.ensure_future(self._deliver())

    async def _deliver(self) -> None:
        while self._moved:
            self._moved = False
            try:
                await self.hub.advance()
            except Exception as error:  # a store is unreachable; clients reconnect and resume
                logger("minitwitter.realtime").error("what happened could not be told", exc_info=error)
                self.hub.close()
        self._delivering = None

    def close(self) -> None:
        """Close the open streams."""
        self.hub.close()


def views(readers: Callable[[], Readers]) -> HubQueries:
    """Return the queries of the realtime hub. Each reads the current read models."""

    async def followees(viewer: AccountId) -> list[AccountId]:
        return await readers().graph.followees(viewer)

    async def shown(viewer: AccountId) -> list[TweetId]:
        page = await readers().home_feed.page(viewer, None, WATCHED)
        return [activity.tweet for activity in page.items]

    async def items(records: Sequence[Record], viewer: AccountId) -> Sequence[resources.FeedItem | None]:
        current = readers()
        with current.snapshot():
            return await feed_item_of_each(current, viewer, [_activity(record) for record in records])

    async def counts(ids: Sequence[TweetId]) -> dict[TweetId, resources.Counts]:
        return {id_: counts_of(row) for id_, row in (await readers().counts.of_tweets(ids)).items()}

    async def tweets(ids: Sequence[TweetId], viewer: AccountId) -> dict[TweetId, resources.Tweet]:
        current = readers()
        with current.snapshot():
            hydrated = await hydrate(current, viewer, ids)
        return {TweetId(tweet.id): tweet for tweet in hydrated.offered(ids)}

    async def notifications(
        viewer: AccountId, raised: Sequence[Notification]
    ) -> Sequence[resources.Notification | None]:
        return await as_raised(readers(), viewer, raised)

    return HubQueries(followees, shown, items, counts, tweets, notifications)


def _activity(record: Record) -> Activity:
    event = record.event
    if isinstance(event, TweetPosted):
        return Activity(ActivityId(event.tweet), event.tweet, event.author, retweet=False)
    assert isinstance(event, TweetRetweeted)
    return Activity(event.retweet, event.tweet, event.actor, retweet=True)
