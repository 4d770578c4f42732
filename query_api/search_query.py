"""Parse the queries of the search for tweets.

| query | finds tweets |
|---|---|
| `late flight` | with all the words, anywhere |
| `"late flight"`, `late-flight` | with the words one after the other |
| `#tag` | with the hashtag, `@name` with the mention |
| `from:name` | by the account |
| `-late`, `-"late flight"`, `-#tag`, `-@name`, `-from:name` | without it |

Phones replace `-` and `"` by other dashes and quotes; all mean the same. Words are compared as stores/text/tokeniser.py
says. Terms without a word (`!`, `-`) are ignored.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import regex

from stores.search import Phrase
from stores.text import tokeniser

MOST_WORDS = 64
MOST_REPEATED = 4
"""How often one word may be in a query. Searching for a phrase of one common word 32 times takes half a second; within
these bounds the slowest query takes 50 ms."""
# Hyphens, dashes and the minus sign; the figure dash and the full-width one look the same.
_DASHES = r"\-\u2010-\u2015\u2212\ufe58\ufe63\uff0d"
_QUOTES = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02\u301d\u301e\u301f", '"'))
_TERM = regex.compile(rf'(?P<sign>[{_DASHES}]*)(?:"(?P<phrase>[^"]*)"?|(?P<plain>[^\s"]+))')
_FROM = regex.compile(r"from[:：][@＠]?(?P<name>\w*)", regex.IGNORECASE | regex.ASCII)
# Characters of hashtags besides letters, marks and digits (command_api/text/entities.py).
_SIGNS = r"_\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\u00b7"
_TAG = regex.compile(rf"[#＃](?P<tag>[\p{{L}}\p{{M}}\p{{Nd}}{_SIGNS}]+)")
_MENTION = regex.compile(r"[@＠](?P<name>[A-Za-z0-9_]{3,30})(?![A-Za-z0-9_])")
_LETTER = regex.compile(r"\p{L}|\p{M}")


class QueryRefused(Exception):
    """The query finds nothing in particular. The message tells its author why."""


class ParsedQuery(NamedTuple):
    """The phrases that a found tweet must have (`every`) and must not have (`none`), and authors' names as written."""

    every: list[Phrase]
    none: list[Phrase]
    by: list[str]
    not_by: list[str]


def parse(text: str) -> ParsedQuery:
    """Parse a query. Raises QueryRefused if it has too many words or a `from:` without a name."""
    parsed = ParsedQuery([], [], [], [])
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


def _check_bounds(parsed: ParsedQuery) -> None:
    often = Counter(token for phrase in parsed.every + parsed.none for token in phrase)
    often.update(f"from:{name.lower()}" for name in parsed.by + parsed.not_by)
    if often.total() > MOST_WORDS or max(often.values(), default=0) > MOST_REPEATED:
        raise QueryRefused(f"a search takes up to {MOST_WORDS} words, each up to {MOST_REPEATED} times")


def _add(phrases: list[Phrase], text: str) -> None:
    tokens = tuple(tokeniser.words(text))
    if tokens and tokens not in phrases:
        phrases.append(tokens)


def _plain(phrases: list[Phrase], text: str) -> None:
    """Add the phrases of a term between spaces: a hashtag or a mention at its beginning, and words."""
    tag = _TAG.match(text)
    if tag is not None and _LETTER.search(tag["tag"]):
        phrases.append((tokeniser.hashtag(tag["tag"]),))
        text = text[tag.end() :]
    elif (mention := _MENTION.match(text)) is not None:
        phrases.append((tokeniser.mention(mention["name"]),))
        text = text[mention.end() :]
    _add(phrases, text)
