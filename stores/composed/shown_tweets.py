"""Tweets as a viewer sees them, composed of other ports, for stores that are reached over a network.

The tweets are read first, since they name their authors. The rest follows at once, one batch for each store. That is
two round trips for any number of tweets. Tests compare SQLite's one statement with this (tests/projections).
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
"""Reads rows by id. Unknown ids are left out."""


class Sight(Protocol):
    """The part of Graph that tells which accounts are hidden from a viewer."""

    async def unseen(self, viewer: AccountId, others: Collection[AccountId]) -> Unseen:
        """Return the accounts among `others` that are hidden from `viewer`."""
        ...


class Marked(Protocol):
    """The part of Engagement that returns an account's marks."""

    async def marks(self, account: AccountId, tweets: Collection[TweetId]) -> dict[TweetId, Marks]:
        """Return the account's marks on each tweet."""
        ...


class GatheredTweets:
    """The ShownTweets port over the read models' ports. For some of them, reads by id are enough."""

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
        """Return the tweets that `viewer` may see."""
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
