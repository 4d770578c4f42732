"""What free text may hold: one list of characters for every text that people write, tweets among them.

Browsers send every line break of a form as CRLF (HTML, 4.10.21.4), so CRLF and a lone CR are line breaks like LF.
"""

import re
from typing import Final

from .characters import FORBIDDEN, compose, find_mark_overflow
from .errors import ForbiddenCharacter, TooManyCharacters

_FORBIDDEN: Final = re.compile(f"[{FORBIDDEN}]")

#: No composed character comes from more code points than this, and a line break from no more than two.
MOST_PER_COMPOSED: Final = 4


def with_line_feeds(text: str) -> str:
    """Return `text` with LF for each CRLF and each lone CR."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def check_characters(text: str) -> None:
    """Raise `ForbiddenCharacter` for the first character of `text` that no free text may have."""
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        raise ForbiddenCharacter(ord(forbidden.group()), forbidden.start())
    overflow = find_mark_overflow(text)
    if overflow is not None:
        raise ForbiddenCharacter(ord(text[overflow]), overflow)


def check_free_text(text: str, longest: int) -> str:
    """Return `text` as it is stored: line breaks are LF, no white space around it, composed (NFC).

    `longest` counts the code points of what is stored. Raises `TooManyCharacters`, `ForbiddenCharacter`.
    """
    if len(text) > longest * MOST_PER_COMPOSED:  # what is longer is too long without looking at it
        raise TooManyCharacters(longest)
    check_characters(text)
    text = compose(with_line_feeds(text).strip())
    if len(text) > longest:
        raise TooManyCharacters(longest)
    return text
