"""Tweets as someone sees them, gathered from the other ports: for stores that a network lies between.

A tweet names its author, so tweets come first; then the rest at once, a batch a store. Two round trips, whatever the
number of tweets. It is also what the one statement of SQLite is held to (tests/projections).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol, TypeVar

from events.ids import AccountId, TweetId
from stores.counts import NO_TWEET_COUNTS, Counts
from stores.engagement import NO_MARKS, Marks
from stores.graph import NOBODY_UNSEEN, Unseen
from stores.sentiment import Reading
from stores.shown_tweets import ShownTweet
from stores.tweets import Tweet
from stores.users import Card

K = TypeVar("K")
V = TypeVar("V")
Rows = Callable[[Collection[K]], Awaitable[dict[K, V]]]
"""Those rows of the ids that there are."""


class Sight(Protocol):
    """Of a graph, who sees whom."""

    async def unseen(self, viewer: AccountId, others: Collection[AccountId]) -> Unseen:
        """Those of the others that `viewer` does not see."""
        ...


class Marked(Protocol):
    """Of engagement, what somebody did."""

    async def marks(self, account: AccountId, tweets: Collection[TweetId]) -> dict[TweetId, Marks]:
        """What an account did with each of the tweets."""
        ...


class GatheredTweets:
    """The ShownTweets port over those of the read models; of some it needs no more than rows by id."""

    def __init__(
        self,
        tweets: Rows[TweetId, Tweet],
        cards: Rows[AccountId, Card],
        scores: Rows[TweetId, Reading],
        sight: Sight,
        counts: Counts,
        marked: Marked,
    ) -> None:
        self._tweets = tweets
        self._cards = cards
        self._scores = scores
        self._sight = sight
        self._counts = counts
        self._marked = marked

    async def of(self, viewer: AccountId | None, tweets: Collection[TweetId]) -> dict[TweetId, ShownTweet]:
        """Those of the tweets that `viewer` may see."""
        rows = {id_: row for id_, row in (await self._tweets(tweets)).items() if not row.deleted}
        if not rows:
            return {}
        authors = {row.author for row in rows.values()}
        cards, unseen, counts, scores, marks = await asyncio.gather(
            self._cards(authors),
            self._unseen(viewer, authors),
            self._counts.of_tweets(rows),
            self._scores(rows),
            self._marks(viewer, rows),
        )
        return {
            id_: ShownTweet(
                cards[row.author],
                row.author in unseen.muted,
                row.text,
                row.entities,
                row.conversation,
                row.reply_to,
                row.quote_of,
                row.location,
                row.sensitive,
                row.content_warning,
                row.version,
                row.edited_at,
                counts.get(id_, NO_TWEET_COUNTS),
                scores.get(id_),
                marks.get(id_, NO_MARKS),
                row.media,
            )
            for id_, row in rows.items()
            if row.author in cards and row.author not in unseen.blocked
        }

    async def _unseen(self, viewer: AccountId | None, authors: Collection[AccountId]) -> Unseen:
        return NOBODY_UNSEEN if viewer is None else await self._sight.unseen(viewer, authors)

    async def _marks(self, viewer: AccountId | None, tweets: Collection[TweetId]) -> dict[TweetId, Marks]:
        return {} if viewer is None else await self._marked.marks(viewer, tweets)
