"""Text to tokens, for every search index alike: FTS5 of SQLite and `simple` of PostgreSQL.

An index is given tokens that are made here, with spaces between, and queries are made of the same tokens, so what is
found does not depend on an engine's own idea of words. A token has no ASCII character besides `a-z`, `0-9` and `_`,
and a word never has `_`: so a hashtag (`h_`), a mention (`m_`) or an author (`a_`) is never taken for a word.

- Two texts that differ in case, width, composition or accents have the same words: NFKC, case folding, and no
  accents (strokes and ligatures of Latin letters included), Hebrew points or Arabic vowel signs.
- A word is a run of letters, digits and the marks of other scripts. Scripts written without spaces (Chinese,
  Japanese, Korean, Thai, Lao, Khmer, Burmese) have each character for a word, and so has each emoji: what is written
  together is searched as a phrase, so that any part of such a text is found, down to one character.

An ASCII text of 100 characters costs 3 us, another one 15 us.
"""

from __future__ import annotations

import re
from unicodedata import normalize

import regex

from events.entities import Entities, fold_tag
from events.ids import AccountId, account_number

_ASCII_WORD = re.compile(r"[a-z0-9]+")
_SINGLE = (
    r"\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u30fc\p{Script=Hangul}"
    r"\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}"
)
_WORD = regex.compile(
    rf"[[\p{{L}}\p{{N}}]--[{_SINGLE}]][[\p{{L}}\p{{N}}\p{{M}}]--[{_SINGLE}]]*+"
    rf"|[[{_SINGLE}]&&[\p{{L}}\p{{N}}\p{{M}}]]|[\p{{Extended_Pictographic}}\p{{Regional_Indicator}}]",
    regex.VERSION1,
)
# Combining accents and enclosing marks, Hebrew points, Arabic vowel signs and tatweel, variation selectors, and the
# hyphen that is only seen where a line ends in it. The voiced sounds of Japanese (U+3099) are other sounds: they stay.
_DROPPED = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\ufe00-\ufe0f\u00ad]+"
)
# Letters that Unicode does not take apart.
_LATIN = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
_SCHEME = re.compile(r"\bhttps?://", re.IGNORECASE)
# What is not safe in a token goes to the private use area, where no hashtag has anything.
_UNSAFE = {code: 0xE000 + code for code in range(128) if not (chr(code).isalnum() or code == ord("_"))}


def fold(text: str) -> str:
    """The text without differences of case, width, composition and accents; folding it again changes nothing."""
    if text.isascii():
        return text.lower()
    folded = normalize("NFKC", normalize("NFKC", text).casefold())
    return normalize("NFKC", _DROPPED.sub("", normalize("NFD", folded))).translate(_LATIN)


def words(text: str) -> list[str]:
    """The words of a text, in its order. Of a link, host and path are words, `https` is none."""
    folded = fold(_SCHEME.sub(" ", text) if "://" in text else text)
    return _ASCII_WORD.findall(folded) if folded.isascii() else _WORD.findall(folded)


def hashtag(tag: str) -> str:
    """The token of a hashtag, given without its sign."""
    folded = fold_tag(tag)
    return "h_" + (folded if folded.isalnum() else folded.translate(_UNSAFE))


def mention(username: str) -> str:
    """The token of a name that is mentioned."""
    return "m_" + username.lower()


def author(account: AccountId) -> str:
    """The token of an author: `from:` is one more term of the index, so it costs what a word costs."""
    return f"a_{account_number(account):x}"


def document(text: str, entities: Entities, by: AccountId) -> str:
    """What is indexed of a tweet: the words, then the hashtags, mentions and author that it has besides.

    They stand after the words, so that a phrase goes on over a `#` or `@` as over any other sign.
    """
    tokens = words(text)
    if entities.hashtags:
        tokens += [hashtag(entity.tag) for entity in entities.hashtags]
    if entities.mentions:
        tokens += [mention(entity.username) for entity in entities.mentions]
    tokens.append(author(by))
    return " ".join(tokens)
