"""Who used which tag in which tweet, for trends. One write a tag, and one to know how far in time the events are."""

from __future__ import annotations

from events.entities import Entities, fold_tag
from events.event import Envelope, on
from events.ids import millis
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from stores.trends import TrendRows

from .projector import Projector


def _tags(entities: Entities) -> dict[str, str]:
    """Folded tags, each with how the tweet writes it first."""
    return {fold_tag(hashtag.tag): hashtag.tag for hashtag in reversed(entities.hashtags)}


class Trends(Projector):
    """Uses of tags by tweet; the numbers of a window are computed when they are asked for."""

    model = "trends"
    version = 1

    def __init__(self, rows: TrendRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Its tags are used once each, however often it repeats them."""
        self.rows.reached(about.time, millis(about.id))
        if event.entities.hashtags:
            self.rows.posted(event.tweet, event.author, _tags(event.entities))

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """Its tags are others, from the time of the tweet on, not from that of the edit."""
        self.rows.reached(about.time, millis(about.id))
        self.rows.edited(event.tweet, event.author, _tags(event.entities))

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Its tags were never used."""
        self.rows.reached(about.time, millis(about.id))
        self.rows.deleted(event.tweet)
