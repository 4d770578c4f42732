"""What a tweet replies to and quotes, kept for the public firehose in case it is edited. One write such a tweet."""

from __future__ import annotations

from events.event import Envelope, on
from events.tweets import TweetDeleted, TweetPosted
from stores.public_tweets import PLAIN, Context, PublicTweetRows

from .projector import Projector


class PublicTweets(Projector):
    """Of tweets that stand for themselves nothing is kept."""

    model = "public_tweets"
    version = 1

    def __init__(self, rows: PublicTweetRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """What an edit will not repeat."""
        context = Context(event.reply_to, event.quote_of, event.sensitive)
        if context != PLAIN:
            self.rows.posted(event.tweet, context)

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """There will be no edit."""
        self.rows.deleted(event.tweet)
