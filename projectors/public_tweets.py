"""The context of tweets for the public firehose: replied tweet, quoted tweet, sensitive mark. One write per context.

An edit publishes the tweet again, and the edit's event does not repeat these fields.
"""

from __future__ import annotations

from events.event import Envelope, on
from events.tweets import TweetDeleted, TweetPosted
from stores.public_tweets import PLAIN, PublicTweetRows, TweetContext

from .projector import Projector


class PublicTweets(Projector):
    """The context of tweets that reply, quote or are sensitive. Other tweets have no row."""

    model = "public_tweets"
    version = 1

    def __init__(self, rows: PublicTweetRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Store the fields that an edit does not repeat."""
        context = TweetContext(event.reply_to, event.quote_of, event.sensitive)
        if context != PLAIN:
            self.rows.posted(event.tweet, context)

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Remove the row: a deleted tweet is not edited."""
        self.rows.deleted(event.tweet)
