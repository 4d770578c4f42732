"""Histories of a small community, and the ways in which a log may deliver them: for tests of whatever folds events.

`histories()` lets hypothesis choose what happens. `interleaved`, `redelivered` and `batched` are what laws 3 and 4 are
about.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

from events.log import Record
from tests.community import ACTIONS, Community

OFTEN = ("post", "reply", "follow", "retweet", "like")
"""What happens more than the rest, so that there is something to see in a short history."""


CHOICES = (*OFTEN, *OFTEN, *ACTIONS)
_STEPS = st.tuples(st.integers(0, len(CHOICES) - 1), st.integers(0, 15), st.integers(0, 60))


@st.composite
def histories(draw: st.DrawFn, accounts: int = 4, most: int = 60) -> Community:
    """A community in which up to `most` things happened after its first accounts registered."""
    community = Community()
    for _ in range(draw(st.integers(1, accounts))):
        community.register()
    # Left to itself, hypothesis makes lists of about six.
    least = draw(st.sampled_from((0, most // 2, most)))
    for action, pair, n in draw(st.lists(_STEPS, min_size=least, max_size=most)):
        community.act(CHOICES[action], pair // 4, pair % 4, n)
    return community


def interleaved(records: Sequence[Record], randomness: random.Random) -> list[Record]:
    """The records in another order, each entity's kept: what a log with many partitions may deliver."""
    queues: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        queues.setdefault((record.topic, record.key), []).append(record)
    turns = [entity for entity, queue in queues.items() for _ in queue]
    randomness.shuffle(turns)
    heads = {entity: iter(queue) for entity, queue in queues.items()}
    return [next(heads[entity]) for entity in turns]


def redelivered(records: Sequence[Record], randomness: random.Random) -> list[Record]:
    """The records with copies in between: at once, late, and appended a second time at another offset."""
    delivered = list(records)
    ends = 1_000_000
    for record in randomness.sample(records, k=len(records) // 2):
        copy = record
        if randomness.random() < 0.5:
            ends += 1
            copy = Record(
                record.topic,
                record.partition,
                ends,
                record.key,
                record.type,
                record.version,
                record.event,
                record.about,
            )
        first = delivered.index(record)
        delivered.insert(
            randomness.randint(first + 1, min(first + 1 + randomness.choice((0, 5, 500)), len(delivered))), copy
        )
    return delivered


def batched(records: Sequence[Record], randomness: random.Random) -> Iterator[Sequence[Record]]:
    """The records in batches of any size."""
    start = 0
    while start < len(records):
        size = randomness.choice((1, 2, 3, 10, 100))
        yield records[start : start + size]
        start += size
