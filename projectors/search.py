"""Search for tweets: an index of their tokens. One row per tweet, and one write of about 10 us per event."""

from __future__ import annotations

from events.event import Envelope, on
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from stores.search import SearchRows
from stores.text import tokeniser

from .projector import Projector


class Search(Projector):
    """Tweets by word, hashtag, mention and author. Reads leave out blocked and muted authors."""

    model = "search"
    version = 1

    def __init__(self, rows: SearchRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Add the tweet to the index."""
        self.rows.posted(event.tweet, tokeniser.document(event.text, event.entities, event.author))

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """Replace the tweet's text in the index."""
        self.rows.edited(event.tweet, tokeniser.document(event.text, event.entities, event.author))

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Remove the tweet from the index."""
        self.rows.deleted(event.tweet)
