"""Which texts can be tweets, and which words usernames and hashtags."""

import re
from typing import Final

import regex

from .characters import DIRECTION_SPANS, NOT_CHARACTERS, compose, find_mark_overflow
from .entities import is_tag
from .errors import EmptyText, ForbiddenCharacter, TextTooLong
from .urls import LONGEST_URL
from .weighing import LIMIT, URL_WEIGHT, weigh

# Line feed and tab are the two control characters that only make space. Spans of direction are refused, other
# than by twitter-text, since one left open turns round the text that is shown after the tweet. A surrogate is
# half a character, and no UTF-8 can hold it.
_CONTROLS: Final = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
_FORBIDDEN: Final = re.compile(rf"[{_CONTROLS}\ud800-\udfff{DIRECTION_SPANS}{NOT_CHARACTERS}]")

# The braille blank is a symbol by its properties, but has no ink either.
_VISIBLE: Final = regex.compile(r"[^\s\p{Default_Ignorable_Code_Point}\u2800]")

# No text has more code points for its weight than a single link, and no composed character comes from more
# than four code points: what is longer than this is too long without looking at it.
_MOST_PER_COMPOSED: Final = 4
_LONGEST: Final = (LIMIT * LONGEST_URL // URL_WEIGHT + 1) * _MOST_PER_COMPOSED

_USERNAME: Final = re.compile(r"[A-Za-z0-9_]{3,30}")
_LONGEST_TAG: Final = LIMIT - 1


def check_tweet(text: str) -> str:
    """Return the text in NFC, as a tweet is stored; raise a `TextError` if it cannot be a tweet."""
    if len(text) > _LONGEST:
        raise TextTooLong(LIMIT + 1, LIMIT)
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        raise ForbiddenCharacter(ord(forbidden.group()), forbidden.start())
    overflow = find_mark_overflow(text)
    if overflow is not None:
        raise ForbiddenCharacter(ord(text[overflow]), overflow)
    if _VISIBLE.search(text) is None:
        raise EmptyText
    text = compose(text)
    weight = weigh(text)
    if weight > LIMIT:
        raise TextTooLong(weight, LIMIT)
    return text


def is_username(name: str) -> bool:
    """Say whether an account can have this name: 3 to 30 of the letters, digits and underscore of ASCII.

    The alphabet is Twitter's, the length is ours (Twitter's: 1 to 20 in twitter-text, at most 15 at sign-up).
    """
    return _USERNAME.fullmatch(name) is not None


def is_hashtag(tag: str) -> bool:
    """Say whether `#` and `tag` is a hashtag, all of it, and no longer than a tweet has room for."""
    return len(tag) <= _LONGEST_TAG and is_tag(tag)
