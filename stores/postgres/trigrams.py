"""Candidates by shared trigrams, on PostgreSQL: what search of users and of hashtags have in common.

The bounds are those of the SQLite adapters, and so are the rows that they leave: both profiles answer alike.
"""

from __future__ import annotations

from stores.text.trigrams import MOST_CANDIDATES, MOST_ROWS, SPREAD, trigrams


def candidates(table: str, columns: str) -> str:
    """SQL for what shares the most trigrams with those wanted, most similar first: `columns` of `table`.

    The table has rows (trigram, size, `columns`), size being the number of trigrams of the name. The values that it
    takes are those of `wanted`.
    """
    return f"""
        SELECT {columns} FROM unnest(%(trigrams)s::text[]) AS wanted(trigram) CROSS JOIN LATERAL (
            SELECT size, {columns} FROM {table} AS t
            WHERE t.trigram = wanted.trigram AND size BETWEEN %(smallest)s AND %(largest)s
            ORDER BY size, {columns} LIMIT {MOST_ROWS}) AS shared
        GROUP BY size, {columns}
        ORDER BY count(*)::float8 / (%(size)s + size - count(*)) DESC, {columns} LIMIT {MOST_CANDIDATES}"""


def wanted(key: str) -> dict[str, object]:
    """The values for a name that is looked for."""
    found = trigrams(key)
    size = len(found)
    return {"trigrams": sorted(found), "size": size, "smallest": size - SPREAD, "largest": size + SPREAD}
