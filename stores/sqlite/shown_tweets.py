"""Tweets as a viewer sees them, on SQLite: the read models are tables of one file, so one statement is enough.

Six statements, one for each read model, took three times as long. Each releases the interpreter's lock at least twice,
and other threads of the server take it in between. A single statement is also its own snapshot, without a transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import apsw

from events.ids import AccountId, TweetId, from_bytes, to_bytes
from events.tweets import TweetRef

from ..counts import NO_TWEET_COUNTS, TweetCounts
from ..shown_tweets import ShownTweet
from ..users import Card
from .binding import number_of
from .engagement import MARKS_OF_BITS
from .graph import MUTING
from .sentiment import reading_of
from .tweets import media_of

# ?1 is the viewer's number or NULL. A block in either direction has a lower kind than a mute.
_SHOWN = """
    SELECT t.tweet, u.id, u.username, u.display_name, u.avatar,
        (SELECT min(kind) FROM {barriers} WHERE account=?1 AND other=t.author_number),
        t.text, t.entities, t.conversation, t.reply_to, t.reply_author, t.quote_of, t.quote_author,
        t.location, t.sensitive, t.content_warning, t.version, t.edited_at, t.media,
        c.replies, c.retweets, c.quotes, c.likes, c.bookmarks, s.score,
        (SELECT sum(kind) FROM {marks} WHERE account=?1 AND tweet=t.tweet)
    FROM FROM_TWEETS CROSS JOIN {users} AS u ON u.number=t.author_number
        LEFT JOIN {tweet_counts} AS c ON c.tweet=t.tweet LEFT JOIN {scores} AS s ON s.tweet=t.tweet
    WHERE NOT t.deleted"""
_ONE = _SHOWN.replace("FROM_TWEETS", "{tweets} AS t") + " AND t.tweet=?2"
_MANY = _SHOWN.replace("FROM_TWEETS", "carray(?2) CROSS JOIN {tweets} AS t ON t.tweet=value")


class SqliteShownTweets:
    """The ShownTweets port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._one = _ONE.format(**names)
        self._many = _MANY.format(**names)

    async def of(self, viewer: AccountId | None, tweets: Collection[TweetId]) -> dict[TweetId, ShownTweet]:
        """Return the tweets that `viewer` may see: not deleted, and without a block between viewer and author."""
        keys = {to_bytes(tweet): tweet for tweet in tweets}
        if not keys:
            return {}
        number = None if viewer is None else number_of(viewer)
        rows: Any
        if len(keys) == 1:
            rows = self._execute(self._one, (number, *keys)).fetchall()
        else:
            rows = self._execute(self._many, (number, apsw.carray(tuple(keys)))).fetchall()
        found = {}
        for (
            key, author, username, display_name, avatar, barrier,
            text, entities, conversation, reply_to, reply_author, quote_of, quote_author,
            location, sensitive, warning, version, edited_at, media,
            replies, retweets, quotes, likes, bookmarks, score, bits,
        ) in rows:  # fmt: skip
            if barrier is not None and barrier != MUTING:
                continue
            tweet = keys[key]
            found[tweet] = ShownTweet(
                Card(author, username, display_name, avatar),
                barrier is not None,
                text,
                entities,
                tweet if conversation is None else TweetId(from_bytes(conversation)),
                None if reply_to is None else TweetRef(TweetId(from_bytes(reply_to)), reply_author),
                None if quote_of is None else TweetRef(TweetId(from_bytes(quote_of)), quote_author),
                location,
                sensitive == 1,
                warning,
                version,
                edited_at,
                NO_TWEET_COUNTS if replies is None else TweetCounts(replies, retweets, quotes, likes, bookmarks),
                None if score is None else reading_of(score),
                MARKS_OF_BITS[bits or 0],
                () if media is None else media_of(media),
            )
        return found
