"""Numbers of things, as sentences say them."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """The number with its noun, as in `1 record` and `2,000 records`.

    `plural` is for what does not only get an s: `counted(n, "record was", "records were")`.
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
