"""Splits text into tokens, the same for every search index: FTS5 of SQLite and `simple` of PostgreSQL.

Indexes get these tokens with spaces between, and queries are made of the same tokens. So no result depends on an
engine's own rules for words. A token has no ASCII character besides `a-z`, `0-9` and `_`, and a word never has `_`; so
no hashtag (`h_`), mention (`m_`) or author (`a_`) can be confused with a word.

* Texts that differ only in case, width, composition or accents have the same words: NFKC, case folding, and removal of
  accents (strokes and ligatures of Latin letters included), Hebrew points and Arabic vowel signs.
* A word is a run of letters, digits and the marks of other scripts. In scripts without spaces (Chinese, Japanese,
  Korean, Thai, Lao, Khmer, Burmese) each character is a word, and so is each emoji. A search for several such
  characters is a phrase; so any part of such a text is found, down to one character.

An ASCII text of 100 characters costs 3 us, any other 15 us.
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
# Removed: combining accents and enclosing marks, Hebrew points, Arabic vowel signs and tatweel, variation selectors,
# and the soft hyphen. The voiced sound mark of Japanese (U+3099) stays, since it makes another sound.
_DROPPED = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\ufe00-\ufe0f\u00ad]+"
)
# Letters that Unicode does not decompose.
_LATIN = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
_SCHEME = re.compile(r"\bhttps?://", re.IGNORECASE)
# ASCII characters that are not safe in a token move to the private use area, which no hashtag uses.
_UNSAFE = {code: 0xE000 + code for code in range(128) if not (chr(code).isalnum() or code == ord("_"))}


def fold(text: str) -> str:
    """Remove differences of case, width, composition and accents. Folding twice is the same as once."""
    if text.isascii():
        return text.lower()
    folded = normalize("NFKC", normalize("NFKC", text).casefold())
    return normalize("NFKC", _DROPPED.sub("", normalize("NFD", folded))).translate(_LATIN)


def words(text: str) -> list[str]:
    """Return the words of a text, in order. A link gives its host and path, without `https`."""
    folded = fold(_SCHEME.sub(" ", text) if "://" in text else text)
    return _ASCII_WORD.findall(folded) if folded.isascii() else _WORD.findall(folded)


def hashtag(tag: str) -> str:
    """Return the token of a hashtag, given without its sign."""
    folded = fold_tag(tag)
    return "h_" + (folded if folded.isalnum() else folded.translate(_UNSAFE))


def mention(username: str) -> str:
    """Return the token of a mentioned user name."""
    return "m_" + username.lower()


def author(account: AccountId) -> str:
    """Return the token of an author. `from:` is a term of the index like any other, so it costs as much as a word."""
    return f"a_{account_number(account):x}"


def document(text: str, entities: Entities, by: AccountId) -> str:
    """Return the tokens to index for a tweet: its words, then its hashtags, mentions and author.

    The latter stand after the words, so that a phrase matches across a `#` or `@` as across any other sign.
    """
    tokens = words(text)
    if entities.hashtags:
        tokens += [hashtag(entity.tag) for entity in entities.hashtags]
    if entities.mentions:
        tokens += [mention(entity.username) for entity in entities.mentions]
    tokens.append(author(by))
    return " ".join(tokens)
