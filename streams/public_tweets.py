"""Tweets to the public firehose: the public part of each tweet, unsealed, with its sentiment.

The topic is compacted by tweet, so its newest record must be complete. An edit does not repeat the tweets that the
tweet replies to or quotes; they come from the rows of projectors/public_tweets.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from events.event import Envelope, Event, on
from events.public_tweets import TweetPublished, TweetRetracted
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from stores.public_tweets import PublicTweets as Contexts
from stores.public_tweets import TweetContext

from .scoring import Scorer
from .stream import Emit, Stream


class PublicTweets(Stream):
    """The topic `public-tweets`. About 5 us a tweet, because the scorer has cached the score."""

    name = "public-tweets"

    def __init__(self, emit: Emit, scorer: Scorer, contexts: Contexts) -> None:
        super().__init__(emit)
        self._scorer = scorer
        self._contexts = contexts

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Publish the tweet."""
        self._publish(event, 1, TweetContext(event.reply_to, event.quote_of, event.sensitive), about)

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """Publish the tweet again, with its new text."""
        self._publish(event, event.version, self._contexts.context(event.tweet), about)

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Publish the tombstone."""
        self.emit(TweetRetracted(tweet=event.tweet), about)

    async def prepare(self, events: Sequence[Event]) -> None:
        """Fetch the fields that the edits do not repeat."""
        await self._contexts.fetch([event.tweet for event in events if isinstance(event, TweetEdited)])

    def _publish(self, event: TweetPosted | TweetEdited, version: int, context: TweetContext, about: Envelope) -> None:
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
