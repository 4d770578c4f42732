"""Similarity of short names by trigrams, as PostgreSQL's pg_trgm defines it, so that both engines rank alike.

Each word has two spaces put before it and one behind; the trigrams of a text are those of its words, as a set. Two
texts are as similar as |A & B| / |A | B|. (PostgreSQL documentation, F.33 pg_trgm.)
"""

from __future__ import annotations

from stores.text.tokeniser import fold, words

LONGEST_KEY = 100
ENOUGH = 0.3
"""pg_trgm's own threshold."""
MOST_ROWS = 500
"""Rows that an engine reads of each trigram, and the most that are counted together for one candidate."""
MOST_CANDIDATES = 100
SPREAD = 5
"""How many trigrams a similar name may have more or fewer than the wanted one. One wrong letter makes three.

This is a part of the definition, not only a bound of an engine's search: the name of several words shares a third of
its trigrams with one of the words, and is no misspelling of it.
"""


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

    It is enough by pg_trgm's threshold, or where one letter is wrong, if the numbers of trigrams are at most SPREAD
    apart. A wrong letter changes at most three trigrams, so that of three letters, which have four, one trigram is
    left to be found by.
    """
    of_wanted, of_name = trigrams(wanted), trigrams(name)
    if abs(len(of_wanted) - len(of_name)) > SPREAD:
        return 0.0
    alike = similarity(of_wanted, of_name)
    return alike if alike >= ENOUGH or (len(wanted) >= 3 and one_letter_apart(wanted, name)) else 0.0


def one_letter_apart(one: str, other: str) -> bool:
    """Whether one letter replaced, left out or added makes the other (or the two are the same)."""
    if abs(len(one) - len(other)) > 1:
        return False
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    rest, others = one[same:], other[same:]
    return rest[1:] == others[1:] or rest[1:] == others or rest == others[1:]
