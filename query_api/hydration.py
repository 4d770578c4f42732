"""From ids to what is sent: tweets with authors, counters, sentiment, quotes, and what the viewer did with them.

One batch a store, whatever the number of tweets: a page of 20 is six statements. What is deleted, or behind a block,
is left out here, for every list alike; muted accounts are named, because only some lists leave them out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import NamedTuple

import msgspec

from events.ids import AccountId, TweetId, millis
from rest import resources
from rest.times import rfc3339
from stores.counts import TweetCounts
from stores.engagement import Marks
from stores.graph import NOBODY_UNSEEN
from stores.readers import Readers
from stores.users import Card

_NO_COUNTS = resources.Counts()
_NO_MARKS = resources.TweetViewer()


class Hydrated(NamedTuple):
    """Tweets as they are sent, and the authors of these and of what else was asked for."""

    tweets: dict[TweetId, resources.Tweet]
    """Without those that are deleted, unknown or behind a block."""
    authors: dict[AccountId, resources.Author]
    """Without those behind a block."""
    muted: frozenset[AccountId]

    def chosen(self, ids: Iterable[TweetId]) -> list[resources.Tweet]:
        """Tweets that the viewer asked for by name, or kept: muted authors are shown."""
        tweets = self.tweets
        return [tweets[id_] for id_ in ids if id_ in tweets]

    def offered(self, ids: Iterable[TweetId]) -> list[resources.Tweet]:
        """Tweets that are put before the viewer: muted authors are not."""
        return [tweet for tweet in self.chosen(ids) if tweet.author.id not in self.muted]


@lru_cache(maxsize=8192)
def made_at(id_: str) -> str:
    """When a tweet or an activity was made, as it is sent. Feeds show the same new ones over and over."""
    return rfc3339(millis(id_))


def author_of(card: Card) -> resources.Author:
    """A card as it is sent."""
    return resources.Author(card.id, card.username, card.display_name)


def counts_of(counts: TweetCounts) -> resources.Counts:
    """Counters as they are sent."""
    return resources.Counts(counts.replies, counts.retweets, counts.quotes, counts.likes, counts.bookmarks)


def viewer_of(marks: Marks) -> resources.TweetViewer:
    """What the viewer did, as it is sent."""
    return resources.TweetViewer(marks.liked, marks.retweeted, marks.bookmarked)


async def hydrate(
    readers: Readers, viewer: AccountId | None, ids: Collection[TweetId], accounts: Collection[AccountId] = ()
) -> Hydrated:
    """The tweets as `viewer` sees them, with the authors of all and the cards of `accounts`."""
    rows = await readers.tweets.by_ids(ids)
    quoted = {row.quote_of.tweet for row in rows.values() if row.quote_of is not None and not row.deleted}
    if quoted:
        rows |= await readers.tweets.by_ids(quoted - rows.keys())
    people = {row.author for row in rows.values()}
    people.update(accounts)
    cards = await readers.users.cards(people)
    unseen = NOBODY_UNSEEN if viewer is None else await readers.graph.unseen(viewer, people)
    authors = {id_: author_of(card) for id_, card in cards.items() if id_ not in unseen.blocked}
    shown = [id_ for id_, row in rows.items() if not row.deleted and row.author in authors]
    counts = await readers.counts.of_tweets(shown)
    scores = await readers.sentiment.scores(shown)
    marks = None if viewer is None else await readers.engagement.marks(viewer, shown)
    tweets: dict[TweetId, resources.Tweet] = {}
    for id_ in shown:
        row = rows[id_]
        score = scores.get(id_)
        tweets[id_] = resources.Tweet(
            id_,
            authors[row.author],
            row.text,
            msgspec.Raw(row.entities),
            made_at(id_),
            row.conversation,
            row.version,
            None if row.edited_at is None else rfc3339(row.edited_at),
            None if row.location is None else msgspec.Raw(row.location),
            row.sensitive,
            row.content_warning,
            None if row.reply_to is None else resources.Reference(row.reply_to.tweet, row.reply_to.author),
            None if row.quote_of is None else resources.Quote(row.quote_of.tweet, row.quote_of.author),
            counts_of(counts[id_]) if id_ in counts else _NO_COUNTS,
            None if score is None else resources.Sentiment(*score),
            None if marks is None else viewer_of(marks[id_]) if id_ in marks else _NO_MARKS,
        )
    return Hydrated(_with_quotes(tweets, unseen.muted) if quoted else tweets, authors, unseen.muted)


def _with_quotes(
    tweets: dict[TweetId, resources.Tweet], muted: Collection[AccountId]
) -> dict[TweetId, resources.Tweet]:
    """The tweets with those that they quote, one level deep; of hidden and muted ones only the names are left."""
    whole = {}
    for id_, tweet in tweets.items():
        inner = tweets.get(TweetId(tweet.quote.id)) if tweet.quote is not None else None
        if inner is not None and inner.author.id not in muted:
            quote = resources.Quote(inner.id, inner.author.id, inner)
            tweet = msgspec.structs.replace(tweet, quote=quote)
        whole[id_] = tweet
    return whole
