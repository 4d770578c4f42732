"""What people write into the search of tweets, taken apart.

| written | finds tweets |
|---|---|
| `late flight` | with all the words, anywhere |
| `"late flight"`, `late-flight` | with the words one after the other |
| `#tag` | with the hashtag, `@name` with the mention |
| `from:name` | by the account |
| `-late`, `-"late flight"`, `-#tag`, `-@name`, `-from:name` | without it |

Phones write other dashes and quotes than `-` and `"` by themselves; all mean the same. Words are compared as
stores/text/tokeniser.py says. What has no word in it (`!`, `-`) means nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import regex

from stores.search import Phrase
from stores.text import tokeniser

MOST_WORDS = 64
MOST_REPEATED = 4
"""How often one word may be in a query. A phrase of one common word 32 times would take half a second to be not found;
within these bounds the worst takes 50 ms."""
# Hyphens, dashes and the minus sign; a figure dash and a full-width one look no other.
_DASHES = r"\-\u2010-\u2015\u2212\ufe58\ufe63\uff0d"
_QUOTES = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02\u301d\u301e\u301f", '"'))
_TERM = regex.compile(rf'(?P<sign>[{_DASHES}]*)(?:"(?P<phrase>[^"]*)"?|(?P<plain>[^\s"]+))')
_FROM = regex.compile(r"from[:：][@＠]?(?P<name>\w*)", regex.IGNORECASE | regex.ASCII)
# What hashtags are written with besides letters, marks and digits (command_api/text/entities.py).
_SIGNS = r"_\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\u00b7"
_TAG = regex.compile(rf"[#＃](?P<tag>[\p{{L}}\p{{M}}\p{{Nd}}{_SIGNS}]+)")
_MENTION = regex.compile(r"[@＠](?P<name>[A-Za-z0-9_]{3,30})(?![A-Za-z0-9_])")
_LETTER = regex.compile(r"\p{L}|\p{M}")


class QueryRefused(Exception):
    """Nothing can be searched for by this; the message says why, to the one who wrote it."""


class Parsed(NamedTuple):
    """What every tweet found has, and what none has; names of authors as written, not yet looked up."""

    every: list[Phrase]
    none: list[Phrase]
    by: list[str]
    not_by: list[str]


def parse(text: str) -> Parsed:
    """Take a query apart. Raises QueryRefused for one that would find nothing in particular."""
    parsed = Parsed([], [], [], [])
    for term in _TERM.finditer(text.translate(_QUOTES)):
        phrases, names = (parsed.none, parsed.not_by) if term["sign"] else (parsed.every, parsed.by)
        if term["plain"] is None:
            _add(phrases, term["phrase"])
        elif (author := _FROM.fullmatch(term["plain"])) is not None:
            if not author["name"]:
                raise QueryRefused("from: needs the name of an account right behind it, as in from:ada")
            names.append(author["name"])
        else:
            _plain(phrases, term["plain"])
    _check_bounds(parsed)
    return parsed


def _check_bounds(parsed: Parsed) -> None:
    often = Counter(token for phrase in parsed.every + parsed.none for token in phrase)
    often.update(f"from:{name.lower()}" for name in parsed.by + parsed.not_by)
    if often.total() > MOST_WORDS or max(often.values(), default=0) > MOST_REPEATED:
        raise QueryRefused(f"a search takes up to {MOST_WORDS} words, each up to {MOST_REPEATED} times")


def _add(phrases: list[Phrase], text: str) -> None:
    tokens = tuple(tokeniser.words(text))
    if tokens and tokens not in phrases:
        phrases.append(tokens)


def _plain(phrases: list[Phrase], text: str) -> None:
    """What stands between spaces: perhaps a hashtag or a mention, and words."""
    tag = _TAG.match(text)
    if tag is not None and _LETTER.search(tag["tag"]):
        phrases.append((tokeniser.hashtag(tag["tag"]),))
        text = text[tag.end() :]
    elif (mention := _MENTION.match(text)) is not None:
        phrases.append((tokeniser.mention(mention["name"]),))
        text = text[mention.end() :]
    _add(phrases, text)
