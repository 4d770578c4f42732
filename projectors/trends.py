"""Uses of hashtags by tweet and author, for trends. One write per tag, and one for the newest event time."""

from __future__ import annotations

from events.entities import Entities, fold_tag
from events.event import Envelope, on
from events.ids import millis
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from stores.trends import TrendRows

from .projector import Projector


def _tags(entities: Entities) -> dict[str, str]:
    """Return the folded tags, each with the spelling of its first use in the tweet."""
    return {fold_tag(hashtag.tag): hashtag.tag for hashtag in reversed(entities.hashtags)}


class Trends(Projector):
    """Uses of tags by tweet. The counts of a window are computed when they are read."""

    model = "trends"
    version = 1

    def __init__(self, rows: TrendRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Add one use of each tag; a tag that the tweet repeats counts once."""
        self.rows.reached(about.time, millis(about.id))
        if event.entities.hashtags:
            self.rows.posted(event.tweet, event.author, _tags(event.entities))

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """Replace the tweet's tags. They count at the time of the tweet, not at the time of the edit."""
        self.rows.reached(about.time, millis(about.id))
        self.rows.edited(event.tweet, event.author, _tags(event.entities))

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Remove the uses of the tweet."""
        self.rows.reached(about.time, millis(about.id))
        self.rows.deleted(event.tweet)
