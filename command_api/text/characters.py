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

#: The first and last code point of each range of forbidden characters.
FORBIDDEN_RANGES: Final = (
    # Controls. Line feed, carriage return and tab are the ones that only make space.
    *((0x00, 0x08), (0x0B, 0x0C), (0x0E, 0x1F), (0x7F, 0x9F)),
    # Direction marks: an unclosed one changes the direction of the text after it. twitter-text accepts them.
    *((0x202A, 0x202E), (0x2066, 0x2069)),
    # Characters that Unicode deprecates or reserves for programs: shape and language switches, annotations.
    *((0x206A, 0x206F), (0xFFF9, 0xFFFB), (0xE0001, 0xE0001)),
    # Halves of characters, which no UTF-8 can hold; the byte order mark; noncharacters.
    *((0xD800, 0xDFFF), (0xFEFF, 0xFEFF), (0xFDD0, 0xFDEF)),
    *((plane | 0xFFFE, plane | 0xFFFF) for plane in range(0, 0x110000, 0x10000)),
)
FORBIDDEN: Final = "".join(f"{chr(first)}-{chr(last)}" for first, last in FORBIDDEN_RANGES)

#: No writing system stacks more marks on a letter: it is the limit of UAX #15's Stream-Safe format.
MOST_MARKS: Final = 30

# The braille blank is a symbol by its properties, but has no ink either.
_VISIBLE: Final = regex.compile(r"[^\s\p{Default_Ignorable_Code_Point}\u2800]")
_INVISIBLE: Final = regex.compile(r"[\p{Default_Ignorable_Code_Point}\u2800]")

# The standard library's re has no \p{M}. Only the first mark of a row is tried, so that no mark is looked at twice.
_TOO_MANY_MARKS: Final = regex.compile(rf"(?<!\p{{M}})\p{{M}}{{{MOST_MARKS + 1}}}")


def is_visible(text: str) -> bool:
    """Say whether `text` has a visible character."""
    return _VISIBLE.search(text) is not None


def find_invisible(text: str) -> int | None:
    """Return the index of the first character that is neither visible nor white space; None if there is none."""
    match = None if text.isascii() else _INVISIBLE.search(text)
    return None if match is None else match.start()


def find_mark_overflow(text: str) -> int | None:
    """Return the index of the first mark over `MOST_MARKS` in a row, None when there is none."""
    if text.isascii():
        return None
    match = _TOO_MANY_MARKS.search(text)
    return None if match is None else match.end() - 1


def compose(text: str) -> str:
    """Return `text` in NFC; unchanged if it has more than `MOST_MARKS` marks in a row.

    CPython sorts the marks of a letter by insertion: 100 000 of them, well chosen, take 15 seconds. A text
    with so many in a row is never accepted as a tweet, so its composed form is not needed.
    """
    if text.isascii() or find_mark_overflow(text) is not None:
        return text
    return normalize("NFC", text)
