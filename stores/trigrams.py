"""Similarity of short names by trigrams, as PostgreSQL's pg_trgm defines it, so that both engines rank alike.

Each word has two spaces put before it and one behind; the trigrams of a text are those of its words, as a set. Two
texts are as similar as |A & B| / |A | B|. (PostgreSQL documentation, F.33 pg_trgm.)
"""

from __future__ import annotations

from .tokeniser import fold, words

LONGEST_KEY = 100
ENOUGH = 0.3
"""pg_trgm's own threshold."""


def name_key(name: str) -> str:
    """A name as it is compared: its words, folded, with spaces between; a name that has no words, as it is.

    It ends after 100 characters: a few letters fold to many.
    """
    return (" ".join(words(name)) or " ".join(fold(name).split()))[:LONGEST_KEY].rstrip()


def trigrams(key: str) -> frozenset[str]:
    """The trigrams of a name's key."""
    padded = [f"  {word} " for word in key.split()]
    return frozenset(word[i : i + 3] for word in padded for i in range(len(word) - 2))


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """How similar two names with these trigrams are, in [0, 1]."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def resemblance(wanted: str, name: str) -> float:
    """How similar a name is to the one wanted, 0 where that is not enough for the one to be meant by the other.

    It is enough by pg_trgm's threshold; or where the lengths differ by one at most, and all differences can be those
    of one letter replaced, left out or added. Such a letter changes at most three trigrams on either side, so that
    (n - 3) / (n + 3) are left of n; for names of three or four letters that is less than pg_trgm asks for.
    """
    asked = trigrams(wanted)
    alike = similarity(asked, trigrams(name))
    if alike >= ENOUGH:
        return alike
    count = len(asked)
    near = abs(len(wanted) - len(name)) <= 1
    return alike if near and alike * (count + 3) >= count - 3 > 0 else 0.0
