"""Similarity of short names by trigrams, as pg_trgm of PostgreSQL defines it, so that both engines rank alike.

Each word is padded with two spaces before and one after. The trigrams of a text are the set of the trigrams of its
words. The similarity of two texts is |A & B| / |A | B|. (PostgreSQL documentation, F.33 pg_trgm.)
"""

from __future__ import annotations

from stores.text.tokeniser import fold, words

LONGEST_KEY = 100
ENOUGH = 0.3
"""The default threshold of pg_trgm."""
MOST_ROWS = 500
"""Rows that an engine reads for each trigram, and the most that are counted for one candidate."""
MOST_CANDIDATES = 100
SPREAD = 5
"""The maximum difference between the numbers of trigrams of two similar names. One wrong letter causes three.

This is part of the definition, not only a bound on the work: a name of several words shares a third of its trigrams
with one of the words, and is no misspelling of it.
"""


def name_key(name: str) -> str:
    """Return a name as it is compared: its words, folded, with spaces between. A name without words is only folded.

    It is cut after 100 characters, since a few letters may fold to many.
    """
    return (" ".join(words(name)) or " ".join(fold(name).split()))[:LONGEST_KEY].rstrip()


def trigrams(key: str) -> frozenset[str]:
    """Return the trigrams of a name's key."""
    padded = [f"  {word} " for word in key.split()]
    return frozenset(word[i : i + 3] for word in padded for i in range(len(word) - 2))


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the similarity of two names with these trigrams, from 0 to 1."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def resemblance(wanted: str, name: str) -> float:
    """Return the similarity of a name to the wanted one; 0 if it is too low for a match.

    Names match by pg_trgm's threshold, or with one wrong letter, if the numbers of trigrams differ by at most SPREAD. A
    wrong letter changes at most three trigrams. A key of three letters has four, so one is left to find it by.
    """
    of_wanted, of_name = trigrams(wanted), trigrams(name)
    if abs(len(of_wanted) - len(of_name)) > SPREAD:
        return 0.0
    alike = similarity(of_wanted, of_name)
    return alike if alike >= ENOUGH or (len(wanted) >= 3 and one_letter_apart(wanted, name)) else 0.0


def one_letter_apart(one: str, other: str) -> bool:
    """Return whether one replaced, missing or added letter turns one name into the other, or the two are equal."""
    if abs(len(one) - len(other)) > 1:
        return False
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    rest, others = one[same:], other[same:]
    return rest[1:] == others[1:] or rest[1:] == others or rest == others[1:]
