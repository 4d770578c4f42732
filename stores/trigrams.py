"""Similarity of short names by trigrams, as PostgreSQL's pg_trgm defines it, so that both engines rank alike.

Each word has two spaces put before it and one behind; the trigrams of a text are those of its words, as a set. Two
texts are as similar as |A & B| / |A | B|. (PostgreSQL documentation, F.33 pg_trgm.)
"""

from __future__ import annotations

from .tokeniser import fold, words

MOST_SIMILAR_NEEDED = 0.3
"""pg_trgm's own threshold: two longer names need not be more alike than this."""


def name_key(name: str) -> str:
    """A name as it is compared: its words, folded, with spaces between; a name that has no words, as it is."""
    return " ".join(words(name)) or " ".join(fold(name).split())


def trigrams(key: str) -> frozenset[str]:
    """The trigrams of a name's key."""
    padded = [f"  {word} " for word in key.split()]
    return frozenset(word[i : i + 3] for word in padded for i in range(len(word) - 2))


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """How similar two names with these trigrams are, in [0, 1]."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def threshold(count: int) -> float:
    """The least similarity of what a name of `count` trigrams finds.

    A letter replaced, left out or added changes at most three trigrams on either side, so a name with one wrong
    letter has at least (count - 3) / (count + 3) in common with the right one. For short names that is below
    pg_trgm's 0.3. A name of three trigrams (two letters) may have nothing in common, and finds nothing.
    """
    return min(MOST_SIMILAR_NEEDED, (count - 3) / (count + 3)) if count > 3 else 1.0
