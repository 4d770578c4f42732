"""The search of tweets: the tokens of each, indexed. One row a tweet, one write an event, of about 10 us."""

from __future__ import annotations

from events.event import Envelope, on
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from stores.search import SearchRows
from stores.text import tokeniser

from .projector import Projector


class Search(Projector):
    """Tweets by word, hashtag, mention and author; blocks and mutes are left out when read."""

    model = "search"
    version = 1

    def __init__(self, rows: SearchRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """A tweet that can be found."""
        self.rows.posted(event.tweet, tokeniser.document(event.text, event.entities, event.author))

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """It is found by its new text, and no longer by the old."""
        self.rows.edited(event.tweet, tokeniser.document(event.text, event.entities, event.author))

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """It is found no more."""
        self.rows.deleted(event.tweet)
