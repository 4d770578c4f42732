"""The hashtags, mentions and links of a tweet, as the tweet events carry them.

Offsets count code points of the tweet's text (not UTF-16 units, not bytes): `text[start:end]` is the entity,
sigil included. They are found once, when the tweet is written, and stored with it, so that no reader has to
parse text and a later change of the rules does not change what an old tweet mentions.
"""

from typing import Annotated
from unicodedata import normalize

import msgspec

Offset = Annotated[int, msgspec.Meta(ge=0)]


class Hashtag(msgspec.Struct, frozen=True):
    """`tag` is what was written after the sigil (`#` or the full-width `＃`)."""

    tag: str
    """As it was written, without the sigil."""
    start: Offset
    """Where it begins in the text, in code points."""
    end: Offset
    """Where it ends."""


class Mention(msgspec.Struct, frozen=True):
    """`username` is what was written after the sigil (`@` or the full-width `＠`).

    `account` is the id of the account that had this name when the tweet was written, None if none had: names
    can be given up and taken again, and a mention stays with the person it was meant for.
    """

    username: str
    """As it was written, without the sigil."""
    start: Offset
    """Where it begins in the text, in code points."""
    end: Offset
    """Where it ends."""
    account: str | None = None
    """The account that had this name when the tweet was written; null where none had."""


class Url(msgspec.Struct, frozen=True):
    """A link written with its protocol (`http` or `https`), as written."""

    url: str
    """As it was written."""
    start: Offset
    """Where it begins in the text, in code points."""
    end: Offset
    """Where it ends."""


class Entities(msgspec.Struct, frozen=True):
    """Each kind in the order of the text; no two entities of a tweet overlap."""

    hashtags: tuple[Hashtag, ...] = ()
    """Hashtags, in the order of the text."""
    mentions: tuple[Mention, ...] = ()
    """Mentions of accounts, in the order of the text."""
    urls: tuple[Url, ...] = ()
    """Links, in the order of the text."""


def fold_tag(tag: str) -> str:
    """Return the key under which a hashtag is counted: `#Straße`, `#STRASSE` and `#ｓｔｒａｓｓｅ` are one.

    This is NFKC and case folding. Normalised on both sides of the folding, because folding can leave text
    that is not in NFKC; without it the key of a key would be another key. Normalising takes time quadratic in
    the number of successive combining marks: a tag that comes from a client is to pass `is_hashtag` first.
    """
    if tag.isascii():
        return tag.lower()
    return normalize("NFKC", normalize("NFKC", tag).casefold())
