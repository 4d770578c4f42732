"""The search of hashtags: how many tweets carry each. Two writes a tag of a tweet, a dozen for a tag that is new."""

from __future__ import annotations

from events.entities import Entities, fold_tag
from events.event import Envelope, on
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from stores.hashtag_search import HashtagSearchRows
from stores.text.trigrams import LONGEST_KEY

from .projector import Projector


class HashtagSearch(Projector):
    """Hashtags by name, with their uses. Those of more than 100 characters, which nobody types, are not found."""

    model = "hashtag_search"
    version = 1

    def __init__(self, rows: HashtagSearchRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Its tags are used once more."""
        if event.entities.hashtags:
            self.rows.posted(event.tweet, _tags(event.entities))

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """Only the tags of the new text count."""
        self.rows.edited(event.tweet, _tags(event.entities))

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Its tags are used once less."""
        self.rows.deleted(event.tweet)


def _tags(entities: Entities) -> set[str]:
    folded = (fold_tag(hashtag.tag) for hashtag in entities.hashtags)
    return {tag for tag in folded if len(tag) <= LONGEST_KEY}
