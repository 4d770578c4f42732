"""Rank the newest matches of a search by a formula of this project.

Ranking all matches takes time in proportion to how common a word is (640 ms for bm25 over 500,000 tweets), so only the
newest 1,000 matches are ranked. A tweet scores

    relevance * (1 + log2(1 + likes + 2 retweets + quotes + replies)) / sqrt(1 + age)

- relevance: the mean, over the words and phrases of the query, of BM25's term frequency part, with k1 = 1.2 and
  b = 0.75, as in S. Robertson and H. Zaragoza, The Probabilistic Relevance Framework, 2009, 3.4. BM25's other part, the
  rarity of a word, is the same for all matches, because all have every word. The mean length is fixed at 16 tokens, so
  a score does not depend on other tweets in the index.
- age: in days, from the newest ranked match, so a score does not depend on the time of the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2, sqrt
from typing import NamedTuple

from events.ids import TweetId, millis
from stores.counts import NO_TWEET_COUNTS, TweetCounts
from stores.search import Match, Phrase

MOST_RANKED = 1000
DAY_MS = 24 * 3600 * 1000
_K1, _B, _LENGTH = 1.2, 0.75, 16


class RankedTweet(NamedTuple):
    """A tweet and its score."""

    score: float
    tweet: TweetId


def rank(
    matches: Sequence[Match], phrases: Sequence[Phrase], counts: Mapping[TweetId, TweetCounts], newest: TweetId
) -> list[RankedTweet]:
    """Return the matches, best first; of equal scores the newest first. Ages count from `newest`."""
    now = millis(newest)
    ranked = [
        RankedTweet(
            relevance(match.tokens, phrases)
            * popularity(counts.get(match.tweet, NO_TWEET_COUNTS))
            / sqrt(1 + max(0, now - millis(match.tweet)) / DAY_MS),
            match.tweet,
        )
        for match in matches
    ]
    ranked.sort(reverse=True)
    return ranked


def popularity(counts: TweetCounts) -> float:
    """Return the weight of likes, retweets, quotes and replies: 1 for none, one more with every doubling."""
    return 1 + log2(1 + counts.likes + 2 * counts.retweets + counts.quotes + counts.replies)


def relevance(tokens: str, phrases: Sequence[Phrase]) -> float:
    """Return how relevant a tweet that has all the phrases is to them, in (0, 2.2)."""
    found = tokens.split(" ")
    damping = _K1 * (1 - _B + _B * len(found) / _LENGTH)
    total = 0.0
    for phrase in phrases:
        often = occurrences(found, phrase)
        total += often * (_K1 + 1) / (often + damping)
    return total / len(phrases)


def occurrences(tokens: list[str], phrase: Phrase) -> int:
    """Return how often a phrase is in a text."""
    if len(phrase) == 1:
        return tokens.count(phrase[0])
    wanted = list(phrase)
    return sum(tokens[i : i + len(wanted)] == wanted for i in range(len(tokens) - len(wanted) + 1))
