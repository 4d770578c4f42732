"""Character classes that several rules share, and normalisation that cannot be made to take quadratic time.

The classes are those of twitter-text v3; each can stand between the brackets of a regular expression.
"""

from typing import Final
from unicodedata import normalize

import regex

#: Latin letters with accents, and the combining marks that make them when a text is not composed.
ACCENTED: Final = (
    "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268\u026f\u0272"
    "\u0289\u028b\u02bb\u0300-\u036f\u1e00-\u1eff"
)

#: Marks that open or close a span of text with its own direction; and with them the single ones.
DIRECTION_SPANS: Final = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
DIRECTION_MARKS: Final = DIRECTION_SPANS + "\u061c\u200e\u200f"

#: The byte order mark and the two code points next to it that Unicode sets aside.
NOT_CHARACTERS: Final = "\ufffe\ufeff\uffff"

#: No writing system stacks more marks on a letter: it is the limit of UAX #15's Stream-Safe format.
MOST_MARKS: Final = 30

# The standard library's re has no \p{M}. Only the first mark of a row is tried, so that no mark is looked at twice.
_TOO_MANY_MARKS: Final = regex.compile(rf"(?<!\p{{M}})\p{{M}}{{{MOST_MARKS + 1}}}")


def find_mark_overflow(text: str) -> int | None:
    """Return the index of the first mark over `MOST_MARKS` in a row, None when there is none."""
    if text.isascii():
        return None
    match = _TOO_MANY_MARKS.search(text)
    return None if match is None else match.end() - 1


def compose(text: str) -> str:
    """Return `text` in NFC; unchanged when it has more marks in a row than `MOST_MARKS`.

    CPython sorts the marks of a letter by insertion: 100 000 of them, well chosen, take 15 seconds. A text
    with so many in a row is never accepted as a tweet, so what it composes to is of no consequence.
    """
    if text.isascii() or find_mark_overflow(text) is not None:
        return text
    return normalize("NFC", text)
