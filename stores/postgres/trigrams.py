"""Candidates by shared trigrams, on PostgreSQL, for the searches of users and of hashtags.

The limits are those of the SQLite adapters and keep the same rows, so both profiles give the same answers.
"""

from __future__ import annotations

from stores.text.trigrams import MOST_CANDIDATES, MOST_ROWS, SPREAD, trigrams


def candidates(table: str, columns: str) -> str:
    """Return SQL for the rows that share the most trigrams with the wanted name, most similar first.

    It selects `columns` of `table`, which has rows (trigram, size, `columns`); `size` is the number of trigrams of the
    name. Its parameters come from `wanted`.
    """
    return f"""
        SELECT {columns} FROM unnest(%(trigrams)s::text[]) AS wanted(trigram) CROSS JOIN LATERAL (
            SELECT size, {columns} FROM {table} AS t
            WHERE t.trigram = wanted.trigram AND size BETWEEN %(smallest)s AND %(largest)s
            ORDER BY size, {columns} LIMIT {MOST_ROWS}) AS shared
        GROUP BY size, {columns}
        ORDER BY count(*)::float8 / (%(size)s + size - count(*)) DESC, {columns} LIMIT {MOST_CANDIDATES}"""


def wanted(key: str) -> dict[str, object]:
    """Return the parameters of `candidates` for the name that is searched for."""
    found = trigrams(key)
    size = len(found)
    return {"trigrams": sorted(found), "size": size, "smallest": size - SPREAD, "largest": size + SPREAD}
