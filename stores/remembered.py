"""Rows that hardly ever change, kept by the process that reads them: what one sees, others see too.

A row is kept until somebody says that it is outdated, or that something was missed and any of them may be. Rows that
are not there are asked for each time. Whoever says so has to be faster than those who tell readers that a change can
be read (runtime/distributed/applied.py).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Generic, TypeVar

from events.ids import AccountId, TweetId

from .sentiment import Reading, Sentiment
from .tweets import Tweet, Tweets
from .users import Card, Users

K = TypeVar("K")
V = TypeVar("V")

TWEETS = 20_000
"""About 1 KB each."""
CARDS = 50_000
SCORES = 50_000


class Remembered(Generic[K, V]):
    """Rows by id; of more than `most` those that were used longest ago are let go."""

    def __init__(self, ask: Callable[[Collection[K]], Awaitable[dict[K, V]]], most: int) -> None:
        self._ask = ask
        self._most = most
        self._rows: OrderedDict[K, V] = OrderedDict()
        self._changes = 0
        self.asked = 0
        self.missed = 0

    async def of(self, ids: Collection[K]) -> dict[K, V]:
        """The rows of those ids that have one. Raises StoreUnavailable."""
        rows = self._rows
        found: dict[K, V] = {}
        missing: list[K] = []
        for id_ in ids:
            row = rows.get(id_)
            if row is None:
                missing.append(id_)
            else:
                rows.move_to_end(id_)
                found[id_] = row
        self.asked += len(ids)
        if missing:
            self.missed += len(missing)
            changes = self._changes
            asked = await self._ask(missing)
            found.update(asked)
            if changes == self._changes:  # else these may be from before the change
                rows.update(asked)
                while len(rows) > self._most:
                    rows.popitem(last=False)
        return found

    def forget(self, ids: Iterable[K]) -> None:
        """These are outdated."""
        self._changes += 1
        for id_ in ids:
            self._rows.pop(id_, None)

    def clear(self) -> None:
        """Any of them may be."""
        self._changes += 1
        self._rows.clear()


class RememberedRows:
    """What a page of tweets shows that is the same for everyone: tweets, their authors' cards, how they read."""

    def __init__(self, tweets: Tweets, users: Users, sentiment: Sentiment) -> None:
        self.tweets: Remembered[TweetId, Tweet] = Remembered(tweets.by_ids, TWEETS)
        self.cards: Remembered[AccountId, Card] = Remembered(users.cards, CARDS)
        self.scores: Remembered[TweetId, Reading] = Remembered(sentiment.scores, SCORES)
