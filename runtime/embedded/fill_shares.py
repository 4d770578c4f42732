"""Divides the read models of a rebuild among processes, so that all take about the same time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

_READ_US = {"tweets": 25.0}
_READ_OTHERS_US = 14.0
_HANDLE_US = {
    "notifications": 14.0,
    "engagement": 2.0,
    "counts": 2.0,
    "search": 18.0,
    "sentiment": 45.0,
    "tweets": 10.0,
}
_HANDLE_OTHERS_US = 5.0
"""Microseconds to read an event of a topic, and to handle it for a read model. Only their ratios matter."""
_SHORTER = 0.8


def shares_of(topics: Mapping[str, Collection[str]], events: Mapping[str, int], most: int) -> list[tuple[str, ...]]:
    """Divide read models into up to `most` shares that take about the same time.

    `topics` are the source topics of each read model, `events` the number of events in each topic. Every share reads
    its topics again, so there are only as many shares as shorten the longest one substantially.
    """
    splits = [_split(topics, events, number) for number in range(1, most + 1)]
    longest = [max(_cost(share, topics, events) for share in split) for split in splits]
    return next(split for split, cost in zip(splits, longest, strict=True) if _SHORTER * cost <= min(longest))


def _split(topics: Mapping[str, Collection[str]], events: Mapping[str, int], number: int) -> list[tuple[str, ...]]:
    """Merge two shares until there are at most `number`: the two with the least work that read the same topics.

    So read models of the same topics are in one share, which reads each event once.
    """
    shares: list[tuple[str, ...]] = [(model,) for model in topics]

    def rank(pair: tuple[tuple[str, ...], tuple[str, ...]]) -> float:
        together = _cost([*pair[0], *pair[1]], topics, events)
        saved = _cost(pair[0], topics, events) + _cost(pair[1], topics, events) - together
        return together - saved

    while len(shares) > number:
        one, other = min(combinations(shares, 2), key=rank)
        shares = [share for share in shares if share not in (one, other)] + [(*one, *other)]
    return shares


def _cost(share: Sequence[str], topics: Mapping[str, Collection[str]], events: Mapping[str, int]) -> float:
    """Return the estimated time of a share, in microseconds."""
    handled = sum(
        events.get(topic, 0) * _HANDLE_US.get(model, _HANDLE_OTHERS_US) for model in share for topic in topics[model]
    )
    read = {topic for model in share for topic in topics[model]}
    return handled + sum(events.get(topic, 0) * _READ_US.get(topic, _READ_OTHERS_US) for topic in read)
