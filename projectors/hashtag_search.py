"""Search for hashtags, with the number of tweets of each. Two writes per tag of a tweet, a dozen for a new tag."""

from __future__ import annotations

from events.entities import Entities, fold_tag
from events.event import Envelope, on
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from stores.hashtag_search import HashtagSearchRows
from stores.text.trigrams import LONGEST_KEY

from .projector import Projector


class HashtagSearch(Projector):
    """Hashtags by name, with their uses. Tags of more than 100 characters are left out."""

    model = "hashtag_search"
    version = 1

    def __init__(self, rows: HashtagSearchRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Count one more use of each tag of the tweet."""
        if event.entities.hashtags:
            self.rows.posted(event.tweet, _tags(event.entities))

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """Count the tags of the new text instead of the old."""
        self.rows.edited(event.tweet, _tags(event.entities))

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Count one use less of each tag of the tweet."""
        self.rows.deleted(event.tweet)


def _tags(entities: Entities) -> set[str]:
    folded = (fold_tag(hashtag.tag) for hashtag in entities.hashtags)
    return {tag for tag in folded if len(tag) <= LONGEST_KEY}
