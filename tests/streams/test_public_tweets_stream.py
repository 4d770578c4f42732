"""The topic `public-tweets`: the newest record of a tweet is complete, and a deleted tweet leaves a tombstone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from command_api.text.entities import extract
from events.public_tweets import TweetPublished, TweetRetracted
from events.tweets import TweetRef
from tests.streams.analytics import Analytics, Tweeting, account_of


@pytest.fixture
def analytics() -> Iterator[Analytics]:
    analytics = Analytics()
    yield analytics
    analytics.close()


async def test_a_tweet_is_published_with_its_sentiment(analytics: Analytics) -> None:
    tweeting = Tweeting()
    tweet = tweeting.post("ada", "lovely #day")

    await analytics.see(tweeting)

    assert [new.event for new in analytics.of(TweetPublished)] == [
        TweetPublished(
            tweet=tweet,
            author=account_of("ada"),
            version=1,
            text="lovely #day",
            entities=extract("lovely #day"),
            label="positive",
            score=0.5859,
        )
    ]


@pytest.mark.parametrize("batches", ["one batch", "a batch each"])
async def test_an_edit_publishes_the_tweet_whole_again(analytics: Analytics, batches: str) -> None:
    tweeting = Tweeting()
    first = TweetRef(tweeting.post("ada", "who comes?"), account_of("ada"))
    reply = tweeting.post("bob", "me", reply_to=first, sensitive=True)
    quote = tweeting.post("eve", "look", quote_of=first)
    if batches == "a batch each":
        await analytics.see(tweeting)
    tweeting.edit(reply, "not me, sorry")
    tweeting.edit(quote, "look at this")
    tweeting.edit(first.tweet, "who comes today?")

    await analytics.see(tweeting)

    edited = [new.event for new in analytics.of(TweetPublished)][3:]
    assert [
        (e.text, e.version, e.reply_to, e.quote_of, e.sensitive) for e in edited if isinstance(e, TweetPublished)
    ] == [
        ("not me, sorry", 2, first, None, True),
        ("look at this", 2, None, first, False),
        ("who comes today?", 2, None, None, False),
    ]


async def test_a_deleted_tweet_leaves_a_tombstone_and_no_row(analytics: Analytics) -> None:
    tweeting = Tweeting()
    first = TweetRef(tweeting.post("ada", "who comes?"), account_of("ada"))
    reply = tweeting.post("bob", "me", reply_to=first)
    tweeting.delete(reply)

    await analytics.see(tweeting)

    assert [new.event for new in analytics.of(TweetRetracted)] == [TweetRetracted(tweet=reply)]
    assert analytics.views.digest("public_tweets")[0] == 0
