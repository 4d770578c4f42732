"""The tweets of each hashtag. One row per tag of a tweet; an edit replaces the rows."""

from __future__ import annotations

from events.entities import Entities, fold_tag
from events.event import Envelope, on
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from stores.hashtags import HashtagRows

from .projector import Projector


class Hashtags(Projector):
    """Tweets by folded tag, newest first."""

    model = "hashtags"
    version = 1

    def __init__(self, rows: HashtagRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Add the tweet to its tags."""
        self.rows.posted(event.tweet, _tags(event.entities))

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """Replace the tweet's tags by those of the new text."""
        self.rows.edited(event.tweet, _tags(event.entities))

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Remove the tweet from its tags."""
        self.rows.deleted(event.tweet)


def _tags(entities: Entities) -> list[str]:
    return list(dict.fromkeys(fold_tag(hashtag.tag) for hashtag in entities.hashtags))
