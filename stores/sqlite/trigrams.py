"""Candidates by shared trigrams, on SQLite, for the searches of users and of hashtags.

The table has rows (trigram, size, ...); `size` is the number of trigrams of the name. Rare trigrams find the name; of
common ones a bounded number of rows is read. So a search takes 3 ms at most, whatever the number of names.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import apsw

from stores.text.trigrams import MOST_CANDIDATES, MOST_ROWS, SPREAD


def candidates(connection: apsw.Connection, query: str, wanted: frozenset[str]) -> list[tuple[Any, ...]]:
    """Return the rows that share the most trigrams with `wanted`, most similar first, without trigram and size.

    `query` selects size and the other columns for a trigram and a range of sizes, up to a limit, in a fixed order.
    """
    size = len(wanted)
    shared: Counter[tuple[Any, ...]] = Counter()
    for trigram in sorted(wanted):
        shared.update(connection.execute(query, (trigram, size - SPREAD, size + SPREAD, MOST_ROWS)))
    ranked = sorted((-count / (size + row[0] - count), row[1:]) for row, count in shared.items())
    return [row for _, row in ranked[:MOST_CANDIDATES]]
