"""The topic `sentiment`: each tweet scored when it is posted, again when it is edited, withdrawn when it is deleted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from events.ids import millis
from events.sentiment import ScoreWithdrawn, TweetScored
from tests.streams.analytics import DAY, NOW, Analytics, Tweeting, account_of


@pytest.fixture
def analytics() -> Iterator[Analytics]:
    analytics = Analytics()
    yield analytics
    analytics.close()


async def test_a_tweet_is_scored_with_folded_tags_and_small_mentions_each_once(analytics: Analytics) -> None:
    tweeting = Tweeting()
    tweet = tweeting.post("ada", "Lovely #Straße #STRASSE with @Bob and @bob")

    await analytics.see(tweeting)

    [scored] = analytics.of(TweetScored)
    assert scored.event == TweetScored(
        tweet=tweet,
        author=account_of("ada"),
        version=1,
        label="positive",
        score=0.5859,
        hashtags=("strasse",),
        mentions=("bob",),
    )
    assert scored.about.causation == tweeting.records[0].about.id


async def test_an_edited_tweet_is_scored_again_at_its_own_time(analytics: Analytics) -> None:
    tweeting = Tweeting()
    tweet = tweeting.post("ada", "awful #delay", at=NOW - 2 * DAY)
    tweeting.edit(tweet, "lovely")

    await analytics.see(tweeting)

    first, second = (new.event for new in analytics.of(TweetScored))
    assert isinstance(first, TweetScored)
    assert isinstance(second, TweetScored)
    assert (first.version, first.label, first.hashtags) == (1, "negative", ("delay",))
    assert (second.version, second.label, second.hashtags) == (2, "positive", ())
    assert {new.about.time for new in analytics.of(TweetScored)} == {millis(tweet)}


async def test_the_score_of_a_deleted_tweet_is_withdrawn(analytics: Analytics) -> None:
    tweeting = Tweeting()
    tweet = tweeting.post("ada", "lovely")
    tweeting.delete(tweet)

    await analytics.see(tweeting)

    assert [new.event for new in analytics.of(ScoreWithdrawn)] == [
        ScoreWithdrawn(tweet=tweet, author=account_of("ada"))
    ]


async def test_records_of_a_tweet_ascend_even_within_a_millisecond(analytics: Analytics) -> None:
    tweeting = Tweeting()
    for n in range(50):
        tweet = tweeting.post("ada", f"lovely {n}")
        tweeting.edit(tweet, "awful")
        tweeting.delete(tweet)

    await analytics.see(tweeting)

    by_key: dict[str, list[str]] = {}
    for new in (*analytics.of(TweetScored), *analytics.of(ScoreWithdrawn)):
        by_key.setdefault(new.event.tweet, []).append(new.about.id)  # type: ignore[attr-defined]
    assert len(by_key) == 50
    assert all(len(ids) == 3 and ids[0] < ids[1] < ids[2] for ids in by_key.values())
