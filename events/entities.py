"""The hashtags, mentions and links of a tweet, as the tweet events carry them.

Offsets count code points of the tweet's text (not UTF-16 units, not bytes): `text[start:end]` is the entity, sigil
included. Entities are found once, when the tweet is written, and stored with it: no reader parses text, and a later
change of the rules does not change the mentions of an old tweet.
"""

from typing import Annotated
from unicodedata import normalize

import msgspec

Offset = Annotated[int, msgspec.Meta(ge=0)]


class Hashtag(msgspec.Struct, frozen=True):
    """A hashtag. `tag` is the text after the sigil (`#` or the full-width `＃`)."""

    tag: str
    """As it was written, without the sigil."""
    start: Offset
    """Where it begins in the text, in code points."""
    end: Offset
    """Where it ends."""


class Mention(msgspec.Struct, frozen=True):
    """A mention. `username` is the text after the sigil (`@` or the full-width `＠`).

    `account` is the id of the account that had this name when the tweet was written, or None if no account had it. A
    name can be given up and taken by another account; the mention stays with the first.
    """

    username: str
    """As it was written, without the sigil."""
    start: Offset
    """Where it begins in the text, in code points."""
    end: Offset
    """Where it ends."""
    account: str | None = None
    """The account that had this name when the tweet was written; null if no account had it."""


class Url(msgspec.Struct, frozen=True):
    """A link as it was written, with its protocol (`http` or `https`)."""

    url: str
    """As it was written."""
    start: Offset
    """Where it begins in the text, in code points."""
    end: Offset
    """Where it ends."""


class Entities(msgspec.Struct, frozen=True):
    """The entities of a tweet. Each list is in the order of the text, and no two entities overlap."""

    hashtags: tuple[Hashtag, ...] = ()
    """Hashtags, in the order of the text."""
    mentions: tuple[Mention, ...] = ()
    """Mentions of accounts, in the order of the text."""
    urls: tuple[Url, ...] = ()
    """Links, in the order of the text."""


def fold_tag(tag: str) -> str:
    """Return the key under which a hashtag is counted: `#Straße`, `#STRASSE` and `#ｓｔｒａｓｓｅ` have the same key.

    The key is the tag after NFKC and case folding. It is normalised again after folding, because folding can leave text
    that is not in NFKC, and then the key of a key would be another key. Normalising takes time quadratic in the number
    of successive combining marks: check a tag that a client sent with `is_hashtag` first.
    """
    if tag.isascii():
        return tag.lower()
    return normalize("NFKC", normalize("NFKC", tag).casefold())
