"""Tweets to the public firehose: what outsiders may read of them, in the clear, with their sentiment.

The topic is compacted by tweet, so its newest record has to be whole: what an edit does not repeat, the tweet it
replies to or quotes, comes from the rows of projectors/public_tweets.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from events.event import Envelope, Event, on
from events.public_tweets import TweetPublished, TweetRetracted
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from stores.public_tweets import Context
from stores.public_tweets import PublicTweets as Contexts

from .scoring import Scorer
from .stream import Emit, Stream


class PublicTweets(Stream):
    """The topic `public-tweets`. About 5 us a tweet, since the score is there already."""

    name = "public-tweets"

    def __init__(self, emit: Emit, scorer: Scorer, contexts: Contexts) -> None:
        super().__init__(emit)
        self._scorer = scorer
        self._contexts = contexts

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """A tweet is public from the start."""
        self._publish(event, 1, Context(event.reply_to, event.quote_of, event.sensitive), about)

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """It is published again, with its new text."""
        self._publish(event, event.version, self._contexts.context(event.tweet), about)

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """The tombstone."""
        self.emit(TweetRetracted(tweet=event.tweet), about)

    async def prepare(self, events: Sequence[Event]) -> None:
        """What edits do not repeat."""
        await self._contexts.fetch([event.tweet for event in events if isinstance(event, TweetEdited)])

    def _publish(self, event: TweetPosted | TweetEdited, version: int, context: Context, about: Envelope) -> None:
        label, score = self._scorer.score(event.text, event.entities.mentions)
        published = TweetPublished(
            tweet=event.tweet,
            author=event.author,
            version=version,
            text=event.text,
            entities=event.entities,
            label=label,
            score=score,
            reply_to=context.reply_to,
            quote_of=context.quote_of,
            sensitive=context.sensitive,
        )
        self.emit(published, about)
