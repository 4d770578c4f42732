"""The application of the embedded profile, put together from a System."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from importlib.metadata import version
from math import inf

from starlette.types import ASGIApp

from events.engagement import TweetRetweeted
from events.ids import AccountId, ActivityId, HybridClock, TweetId
from events.log import Positions, Record
from events.sqlite.connection import UNAVAILABLE
from events.tweets import TweetPosted
from query_api.feeds import feed_item_of_each
from query_api.hydration import author_of, counts_of
from query_api.rankings import Rankings
from query_api.realtime import WATCHED, Hub, Views
from query_api.routes.stream import Streams
from query_api.serving import Queries
from rest import resources
from rest.authentication import Authenticator, Viewer
from rest.edge import Telemetry
from rest.jwks import jwks
from rest.problems import explains
from rest.rate_limits import LocalRateLimits, Policy
from rest.signing import ConsistencyTokens, Cursors
from rest.tickets import Tickets
from runtime import metrics
from runtime.app import Parameters, QuerySide, build_app
from runtime.command_side import command_side
from runtime.operations import Parts
from runtime.routes import ROUTERS
from runtime.telemetry import logger
from stores.user_timelines import Activity

from .applied import SERVING
from .system import System

# What SQLite says of a disk that is full or away: for reads, as for writes, that is no fault of ours.
explains("unavailable", *UNAVAILABLE, headers=(("retry-after", "1"),))


class Composition:
    """The application, and what has to be closed with it."""

    def __init__(self, system: System, *, parts: Parts, telemetry: Telemetry) -> None:
        self.system = system
        settings, clock = system.settings, system.clock
        tokens = ConsistencyTokens(system.token_key)
        cursors = Cursors(system.token_key)
        self.limits = LocalRateLimits(clock)
        self.limits.on_refused = lambda name: metrics.RATE_LIMITED.labels(name).inc()
        self.queries = Queries(
            readers=lambda: system.readers,
            cursors=cursors,
            now=clock,
            rankings=Rankings(time.perf_counter),
            link=system.media.objects.link,
        )
        lifetime_ms = system.token_lifetime_ms
        self.authenticator = Authenticator(
            system.signing_keys, system.revocations, clock, issuer=settings.issuer, lifetime_ms=lifetime_ms
        )
        authenticator = self.authenticator
        metrics.CACHES["access tokens"] = lambda: (authenticator.asked, authenticator.verified)
        tickets = Tickets(system.token_key, system.revocations, clock)
        command = command_side(
            settings,
            store=system.commands,
            ids=system.ids,
            clock=clock,
            randomness=system.randomness,
            tokens=tokens,
            limits=self.limits,
            passwords=system.passwords,
            signing_keys=system.signing_keys,
            token_lifetime_ms=lifetime_ms,
            tickets=tickets,
            uploads=system.media.uploads,
        )
        self.commands = command.commands
        self.hub = Hub((system.log, system.derived_log), self._hub_views(), lambda: system.applied.positions[SERVING])
        self.streams = Streams(
            self.hub,
            cursors,
            redeem=tickets.redeem,
            still_holds=lambda viewer: not system.revocations.is_revoked(viewer.session),
            most=settings.max_streams,
        )
        self._moved = False
        self._delivering: asyncio.Task[None] | None = None
        system.applied.on_advance.append(self._advance)
        metrics.STREAMS.labels("all").set_function(lambda: self.hub.open)
        # Ids of requests come from a clock of their own: they must not change those in the log (law 10). They only
        # have to be unique, so a wall clock that was set back is no reason to answer nobody.
        request_ids = HybridClock(clock, system.randomness, drift_ms=inf)
        anonymous = settings.rate_limits.anonymous_reads_a_minute
        self.application: ASGIApp = build_app(
            Parameters(
                version=version("minitwitter"),
                command=command,
                query=QuerySide(self.queries, self.streams),
                routers=ROUTERS,
                limits=self.limits,
                root_routers=(jwks(system.signing_keys.jwks), *system.media.root_routers),
                authenticate=self._authenticate,
                new_id=request_ids.issue,
                applied=system.applied,
                tokens=tokens,
                anonymous_reads=Policy("anonymous-reads", anonymous, 60, anonymous),
                telemetry=telemetry,
                registry=metrics.REGISTRY,
                parts=parts,
                cors_origins=settings.cors_origins,
                trusted_proxies=settings.trusted_proxies,
                most_bytes=settings.max_body_bytes,
                longer=system.media.longer,
                wait_s=settings.consistency_wait_ms / 1000,
            )
        )

    def _authenticate(self, authorization: bytes) -> Viewer:
        viewer = self.authenticator.authenticate(authorization)
        self.system.usage.active(viewer.account)
        return viewer

    def _advance(self, group: str, positions: Positions) -> None:
        self._moved = True
        if self.hub.open and self._delivering is None:
            self._delivering = asyncio.ensure_future(self._deliver())

    async def _deliver(self) -> None:
        while self._moved:
            self._moved = False
            try:
                await self.hub.advance()
            except Exception as error:  # a store is away; clients come back and go on where they were
                logger("minitwitter.realtime").error("what happened could not be told", exc_info=error)
                self.hub.close()
        self._delivering = None

    def _hub_views(self) -> Views:
        system = self.system

        async def followees(viewer: AccountId) -> list[AccountId]:
            return await system.readers.graph.followees(viewer)

        async def shown(viewer: AccountId) -> list[TweetId]:
            page = await system.readers.home_feed.page(viewer, None, WATCHED)
            return [activity.tweet for activity in page.items]

        async def items(records: Sequence[Record], viewer: AccountId) -> Sequence[resources.FeedItem | None]:
            readers = system.readers
            with readers.snapshot():
                return await feed_item_of_each(readers, viewer, [_activity(record) for record in records])

        async def counts(ids: Sequence[TweetId]) -> dict[TweetId, resources.Counts]:
            return {id_: counts_of(row) for id_, row in (await system.readers.counts.of_tweets(ids)).items()}

        async def authors(ids: Sequence[AccountId]) -> dict[AccountId, resources.Author]:
            return {id_: author_of(card) for id_, card in (await system.readers.users.cards(ids)).items()}

        async def hidden(viewer: AccountId, others: Sequence[AccountId]) -> frozenset[AccountId]:
            unseen = await system.readers.graph.unseen(viewer, others)
            return unseen.blocked | unseen.muted

        return Views(followees, shown, items, counts, authors, hidden)

    def close(self) -> None:
        """End the open streams."""
        self.hub.close()


def _activity(record: Record) -> Activity:
    event = record.event
    if isinstance(event, TweetPosted):
        return Activity(ActivityId(event.tweet), event.tweet, event.author, retweet=False)
    assert isinstance(event, TweetRetweeted)
    return Activity(event.retweet, event.tweet, event.actor, retweet=True)
