"""Ranking of search results."""

from __future__ import annotations

import pytest

from events.ids import Millis, TweetId, id_at
from query_api.search_ranking import DAY_MS, occurrences, popularity, rank, relevance
from stores.counts import TweetCounts
from stores.search import Match

NOW = Millis(1_795_000_000_000)


def tweet(age_ms: int, seed: str = "") -> TweetId:
    return TweetId(id_at(Millis(NOW - age_ms), "tweet", seed))


def best(*found: tuple[TweetId, str, TweetCounts], word: str = "late") -> list[TweetId]:
    matches = [Match(id_, tokens) for id_, tokens, _ in found]
    counts = {id_: counts for id_, _, counts in found}
    return [entry.tweet for entry in rank(matches, [(word,)], counts, tweet(0))]


def test_a_tweet_that_says_it_more_often_is_before_one_that_says_it_once() -> None:
    once, twice = tweet(0, "once"), tweet(0, "twice")
    assert best((once, "late and very tired", TweetCounts()), (twice, "late and very late", TweetCounts()))[0] == twice


def test_a_short_tweet_is_before_a_long_one() -> None:
    short, long = tweet(0, "short"), tweet(0, "long")
    assert best((long, "late " + "word " * 30, TweetCounts()), (short, "late again", TweetCounts()))[0] == short


def test_a_liked_tweet_is_before_another_and_a_retweet_says_more_than_a_like() -> None:
    none, liked, retweeted = tweet(0, "none"), tweet(0, "liked"), tweet(0, "retweeted")
    assert best(
        (none, "late", TweetCounts()),
        (liked, "late", TweetCounts(likes=3)),
        (retweeted, "late", TweetCounts(retweets=3)),
    ) == [retweeted, liked, none]


def test_age_weighs_against_popularity() -> None:
    fresh, old = tweet(0), tweet(15 * DAY_MS)
    assert best((fresh, "late", TweetCounts()), (old, "late", TweetCounts(likes=2)))[0] == fresh
    assert best((fresh, "late", TweetCounts()), (old, "late", TweetCounts(likes=15)))[0] == old


def test_of_equal_tweets_the_newest_is_first() -> None:
    ids = sorted(tweet(0, str(n)) for n in range(5))
    assert best(*((id_, "late", TweetCounts()) for id_ in ids)) == ids[::-1]


def test_the_formula_is_the_one_that_is_documented() -> None:
    # One word of 16, once: tf (k1 + 1) / (tf + k1) = 2.2 / 2.2; 1 + log2(1 + 7) = 4; three days: sqrt(1 + 3) = 2.
    matches = [Match(tweet(3 * DAY_MS), " ".join(["late", *["word"] * 15]))]
    counts = {matches[0].tweet: TweetCounts(likes=1, retweets=2, quotes=1, replies=1)}
    assert rank(matches, [("late",)], counts, tweet(0))[0].score == pytest.approx(1 * 4 / 2)


def test_a_phrase_counts_where_its_words_follow_each_other() -> None:
    assert occurrences(["a", "b", "a", "b", "b", "a"], ("a", "b")) == 2
    assert occurrences(["a", "a", "a"], ("a", "a")) == 2
    assert relevance("a b c a", [("a", "b")]) == relevance("a b c d", [("a", "b")])
    assert popularity(TweetCounts()) == 1
