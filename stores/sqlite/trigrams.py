"""Candidates by shared trigrams, on SQLite: what search of users and of hashtags have in common.

The table has rows (trigram, size, ...), size being the number of trigrams of the name. The rarest trigram finds what
is meant; of common ones a bounded part is read, so a search costs 3 ms at most, however many names there are.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import apsw

from stores.text.trigrams import MOST_CANDIDATES, MOST_ROWS, SPREAD


def candidates(connection: apsw.Connection, query: str, wanted: frozenset[str]) -> list[tuple[Any, ...]]:
    """What shares the most trigrams with those `wanted`, most similar first: the columns after (trigram, size).

    `query` selects size and those columns for a trigram and a range of sizes, up to a limit, in a fixed order.
    """
    size = len(wanted)
    shared: Counter[tuple[Any, ...]] = Counter()
    for trigram in sorted(wanted):
        shared.update(connection.execute(query, (trigram, size - SPREAD, size + SPREAD, MOST_ROWS)))
    ranked = sorted((-count / (size + row[0] - count), row[1:]) for row, count in shared.items())
    return [row for _, row in ranked[:MOST_CANDIDATES]]
