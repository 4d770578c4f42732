"""Sentiment of single tweets, and over time by author, tag and mention."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.entities import fold_tag
from events.ids import Millis, TweetId, millis
from events.sentiment import label_of
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from stores.sentiment import SentimentStep, Subject, about_mention, about_tag
from stores.sqlite import sentiment as sqlite_sentiment
from stores.trends import TooMuch
from streams.scoring import Scorer
from tests.community import Community
from tests.examples import at_most
from tests.histories import batched, histories, interleaved
from tests.streams.analytics import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    REAL_TWEETS,
    Analytics,
    Tweeting,
    account_of,
    import_real,
    moment,
    real_rows,
)


@pytest.fixture
def analytics() -> Iterator[Analytics]:
    analytics = Analytics()
    yield analytics
    analytics.close()


async def series(analytics: Analytics, subject: Subject, hours: int = 1) -> list[SentimentStep]:
    return await analytics.sentiment.series(subject, NOW, Millis(NOW + hours * HOUR), HOUR)


async def test_each_tweet_has_its_score_and_a_deleted_one_has_none(analytics: Analytics) -> None:
    tweeting = Tweeting()
    good, plain, bad = (tweeting.post("ada", text) for text in ("lovely", "a plane", "awful"))
    edited = tweeting.post("bob", "lovely")
    tweeting.edit(edited, "not lovely")
    tweeting.delete(bad)
    await analytics.see(tweeting)

    found = await analytics.sentiment.scores([good, plain, bad, edited])

    assert found == {good: ("positive", 0.5859), plain: ("neutral", 0.0), edited: ("negative", -0.4717)}
    assert await analytics.sentiment.scores([]) == {}


async def test_a_tweet_counts_for_its_tags_its_mentions_and_its_author(analytics: Analytics) -> None:
    tweeting = Tweeting()
    tweeting.post("ada", "lovely #Straße @JetBlue")
    tweeting.post("bob", "awful #strasse #delay @jetblue")
    tweeting.post("ada", "a plane")
    await analytics.see(tweeting)

    both = SentimentStep(NOW, 2, 1, 0, 1, -0.0314)
    assert await series(analytics, about_tag("strasse")) == [both]
    assert await series(analytics, about_mention("jetblue")) == [both]
    assert await series(analytics, about_tag("delay")) == [SentimentStep(NOW, 1, 0, 0, 1, -0.6486)]
    [of_author] = await series(analytics, account_of("ada"))
    assert (of_author.tweets, of_author.positive, of_author.neutral, of_author.negative) == (2, 1, 1, 0)
    assert await series(analytics, about_tag("jetblue")) == [SentimentStep(NOW, 0, 0, 0, 0, None)]


async def test_a_tweet_counts_in_the_step_of_its_own_time_however_late_it_comes(analytics: Analytics) -> None:
    tweeting = Tweeting()
    tweeting.now = Millis(NOW + 30 * DAY)
    for minute in (0, 59, 60, 179):
        tweeting.post("ada", "lovely #day", at=NOW + minute * MINUTE)
    await analytics.see(tweeting)

    assert [mood.tweets for mood in await series(analytics, about_tag("day"), hours=4)] == [2, 1, 1, 0]


async def test_an_edit_moves_a_tweet_to_its_new_tags_with_its_new_score_at_its_own_time(analytics: Analytics) -> None:
    tweeting = Tweeting()
    tweet = tweeting.post("ada", "lovely #muesum")
    await analytics.see(tweeting)
    tweeting.now = Millis(NOW + 2 * HOUR)
    tweeting.edit(tweet, "awful #museum")
    await analytics.see(tweeting)

    assert [mood.tweets for mood in await series(analytics, about_tag("muesum"), hours=3)] == [0, 0, 0]
    assert [mood.negative for mood in await series(analytics, about_tag("museum"), hours=3)] == [1, 0, 0]


async def test_a_deleted_tweet_counts_for_nothing_and_leaves_no_row(analytics: Analytics) -> None:
    tweeting = Tweeting()
    tweet = tweeting.post("ada", "lovely #day @bob")
    await analytics.see(tweeting)
    tweeting.delete(tweet)
    await analytics.see(tweeting)

    assert [mood.tweets for mood in await series(analytics, about_tag("day"))] == [0]
    assert analytics.views.digest("sentiment")[0] == 0


async def test_a_series_over_too_many_tweets_is_refused(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_sentiment, "MOST_ADDED_UP", 3)
    tweeting = Tweeting()
    for _ in range(4):
        tweeting.post("ada", "lovely #day")
    await analytics.see(tweeting)

    assert len(await series(analytics, about_tag("other"), hours=2)) == 2
    with pytest.raises(TooMuch, match="more than 3 tweets"):
        await series(analytics, about_tag("day"), hours=2)


SCORER = Scorer()


@at_most(40)
@given(histories(most=80), st.integers(0, 2**32).map(random.Random))
def test_series_and_scores_are_those_of_the_tweets_that_there_are(
    community: Community, randomness: random.Random
) -> None:
    records = [r for r in community.records if isinstance(r.event, TweetPosted | TweetEdited | TweetDeleted)]
    alive = [tweet for tweet in community.tweets.values() if not tweet.deleted]
    scores = {tweet.id: SCORER.score(tweet.texts[-1], tweet.entities.mentions).score for tweet in alive}
    about: dict[Subject, list[TweetId]] = {about_tag("one"): [], about_tag("zwei"): [], about_mention("user1"): []}
    for tweet in alive:
        about.setdefault(tweet.author, []).append(tweet.id)
        for subject in {about_tag(fold_tag(h.tag)) for h in tweet.entities.hashtags}:
            about.setdefault(subject, []).append(tweet.id)
        for subject in {about_mention(m.username.lower()) for m in tweet.entities.mentions}:
            about.setdefault(subject, []).append(tweet.id)
    end = Millis(community.now // DAY * DAY + DAY)
    start = Millis(end - 4 * DAY)

    async def run() -> None:
        analytics = Analytics()
        for batch in batched(interleaved(records, randomness), randomness):
            await analytics.apply(batch)
        found = await analytics.sentiment.scores(list(community.tweets))
        assert found == {id_: (label_of(score), score) for id_, score in scores.items()}
        for subject, ids in about.items():
            for mood in await analytics.sentiment.series(subject, start, end, DAY):
                inside = [scores[id_] for id_ in ids if mood.start <= millis(id_) < mood.start + DAY]
                labels = [label_of(score) for score in inside]
                assert mood.tweets == len(inside)
                units = sum(round(score * 10_000) for score in inside)
                assert mood.mean == (round(units / len(inside) / 10_000, 4) if inside else None)
                assert [mood.positive, mood.neutral, mood.negative] == [
                    labels.count(label) for label in ("positive", "neutral", "negative")
                ]
        analytics.close()

    asyncio.run(run())


def test_every_query_is_a_search_in_an_index(analytics: Analytics) -> None:
    names, connection = analytics.views.names(), analytics.views.connection
    reads = sqlite_sentiment.SqliteSentiment(connection, names)
    rows = sqlite_sentiment.SqliteSentimentRows(connection, names)
    statements = [reads._scores, reads._moods, rows._withdraw, rows._unrelate]
    for sql in statements:
        # A table-valued function accepts no literal for its array, so the parameters stay; the plan does not use them.
        explained = connection.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?"))
        tables = [str(step[3]) for step in explained if "scores" in step[3]]
        assert tables, sql
        assert all(step.startswith("SEARCH") for step in tables), tables


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_TWEETS.exists(), reason="the real tweets are not beside the project")
async def test_the_real_tweets_add_up_by_airline_mentioned(analytics: Analytics) -> None:
    tweeting = Tweeting()
    import_real(tweeting, real_rows())
    await analytics.apply(tweeting.untold())
    start, end = moment("2015-02-17T00:00:00Z"), moment("2015-02-25T00:00:00Z")

    found = await analytics.sentiment.series(about_mention("united"), start, end, DAY)

    mentioned = [
        r for r in real_rows() if re.search(r"(?<![\w@])@united(?![\w@])", r["text"], re.IGNORECASE | re.ASCII)
    ]
    assert len(found) == 8
    assert abs(sum(mood.tweets for mood in found) - len(mentioned)) <= 0.01 * len(mentioned)
    assert all(mood.positive + mood.neutral + mood.negative == mood.tweets for mood in found)
    assert all(mood.mean is not None and -1 <= mood.mean <= 1 for mood in found if mood.tweets)
