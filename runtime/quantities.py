"""Formats numbers of things for sentences."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return the number with its noun: `1 record`, `2,000 records`.

    `plural` is for nouns that do not only get an s: `counted(n, "record was", "records were")`.
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
