"""From ids to API resources: tweets with authors, counters, sentiment, quotes, and the viewer's marks.

One query for any number of tweets; a second one for quoted tweets, and one for accounts that retweeted. Tweets that are
deleted or behind a block are left out of every list. Muted accounts are returned beside, because only some lists leave
them out.
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
from stores.graph import NOBODY_UNSEEN
from stores.readers import Readers
from stores.shown_tweets import ShownTweet
from stores.users import Card


class Hydrated(NamedTuple):
    """Tweets as API resources, their authors and the other requested accounts."""

    tweets: dict[TweetId, resources.Tweet]
    """Without tweets that are deleted, unknown or behind a block."""
    authors: dict[AccountId, resources.Author]
    """Without accounts behind a block."""
    muted: frozenset[AccountId]

    def chosen(self, ids: Iterable[TweetId]) -> list[resources.Tweet]:
        """Return tweets that the viewer chose or asked for by name, muted authors included."""
        tweets = self.tweets
        return [tweets[id_] for id_ in ids if id_ in tweets]

    def offered(self, ids: Iterable[TweetId]) -> list[resources.Tweet]:
        """Return tweets that the viewer did not choose, without muted authors."""
        return [tweet for tweet in self.chosen(ids) if tweet.author.id not in self.muted]


@lru_cache(maxsize=8192)
def made_at(id_: str) -> str:
    """Return the time in the id of a tweet or an activity, as RFC 3339. Cached, because feeds show the same new tweets
    often.
    """
    return rfc3339(millis(id_))


def author_of(card: Card) -> resources.Author:
    """Return a card as an API resource."""
    return resources.Author(card.id, card.username, card.display_name, avatar_url=resources.picture_url(card.avatar))


def counts_of(counts: TweetCounts) -> resources.Counts:
    """Return counters as an API resource."""
    return resources.Counts(counts.replies, counts.retweets, counts.quotes, counts.likes, counts.bookmarks)


async def hydrate(
    readers: Readers, viewer: AccountId | None, ids: Collection[TweetId], accounts: Collection[AccountId] = ()
) -> Hydrated:
    """Return the tweets as `viewer` sees them, with all their authors and the cards of `accounts`."""
    rows = await readers.shown_tweets.of(viewer, ids)
    quoted = {row.quote_of.tweet for row in rows.values() if row.quote_of is not None} - rows.keys()
    if quoted:
        rows |= await readers.shown_tweets.of(viewer, quoted)
    authors = {row.author.id: author_of(row.author) for row in rows.values()}
    muted = {row.author.id for row in rows.values() if row.muted}
    others = {account for account in accounts if account not in authors}
    if others:
        cards = await readers.users.cards(others)
        unseen = NOBODY_UNSEEN if viewer is None else await readers.graph.unseen(viewer, others)
        authors.update((id_, author_of(card)) for id_, card in cards.items() if id_ not in unseen.blocked)
        muted |= unseen.muted
    signed_in = viewer is not None
    tweets = {id_: _tweet(id_, row, authors[row.author.id], signed_in) for id_, row in rows.items()}
    return Hydrated(_with_quotes(tweets, muted), authors, frozenset(muted))


def _tweet(id_: TweetId, row: ShownTweet, author: resources.Author, signed_in: bool) -> resources.Tweet:
    (
        _, _, text, entities, conversation, reply_to, quote_of, location, sensitive, warning, version, edited_at,
        counts, reading, marks, media,
    ) = row  # fmt: skip
    return resources.Tweet(
        id_,
        author,
        text,
        msgspec.Raw(entities),
        made_at(id_),
        conversation,
        version,
        None if edited_at is None else rfc3339(edited_at),
        None if location is None else msgspec.Raw(location),
        sensitive,
        warning,
        None if reply_to is None else resources.Reference(reply_to.tweet, reply_to.author),
        None if quote_of is None else resources.Quote(quote_of.tweet, quote_of.author),
        counts_of(counts),
        None if reading is None else resources.Sentiment(*reading),
        resources.TweetViewer(marks.liked, marks.retweeted, marks.bookmarked) if signed_in else None,
        resources.tweet_media(media) if media else [],
    )


def _with_quotes(
    tweets: dict[TweetId, resources.Tweet], muted: Collection[AccountId]
) -> dict[TweetId, resources.Tweet]:
    """Put quoted tweets into the tweets, one level deep. For hidden and muted ones only their ids stay."""
    whole = tweets
    for id_, tweet in tweets.items():
        if tweet.quote is None:
            continue
        inner = tweets.get(TweetId(tweet.quote.id))
        if inner is not None and inner.author.id not in muted:
            if whole is tweets:
                whole = dict(tweets)  # `tweets` stays: a quoted tweet has no quoted tweet inside
            quote = resources.Quote(inner.id, inner.author.id, inner)
            whole[id_] = msgspec.structs.replace(tweet, quote=quote)
    return whole
