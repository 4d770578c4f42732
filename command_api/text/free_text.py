"""Check free text against one list of allowed characters for all texts of users, including tweets.

Browsers send every line break of a form as CRLF (HTML, 4.10.21.4), so CRLF and a lone CR are line breaks like LF.
"""

import re
from typing import Final

from .characters import FORBIDDEN, compose, find_mark_overflow
from .errors import ForbiddenCharacter, TooManyCharacters

_FORBIDDEN: Final = re.compile(f"[{FORBIDDEN}]")

#: A composed character has at most this many code points before composition; a line break has at most two.
MOST_PER_COMPOSED: Final = 4


def with_line_feeds(text: str) -> str:
    """Return `text` with LF for each CRLF and each lone CR."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def check_characters(text: str) -> None:
    """Raise `ForbiddenCharacter` for the first forbidden character of `text`."""
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        raise ForbiddenCharacter(ord(forbidden.group()), forbidden.start())
    overflow = find_mark_overflow(text)
    if overflow is not None:
        raise ForbiddenCharacter(ord(text[overflow]), overflow)


def check_free_text(text: str, longest: int) -> str:
    """Return `text` as stored: with LF line breaks, stripped of white space, and in NFC.

    `longest` is the most code points of the stored text. Raises `TooManyCharacters`, `ForbiddenCharacter`.
    """
    if len(text) > longest * MOST_PER_COMPOSED:  # too long even if every character composes
        raise TooManyCharacters(longest)
    check_characters(text)
    text = compose(with_line_feeds(text).strip())
    if len(text) > longest:
        raise TooManyCharacters(longest)
    return text
