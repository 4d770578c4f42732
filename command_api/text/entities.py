"""Find the hashtags, mentions and links of a text by the rules of twitter-text v3.

Two rules differ. A mention has a valid user name of 3 to 30 characters; twitter-text accepts up to 20, and takes the
first 20 of a longer word, which is another name. A link has a protocol; twitter-text also links `example.com`, which
here weighs as a link, and no entity starts in it, but is not a link entity.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import regex

from events.entities import Entities, Hashtag, Mention, Url

from .characters import ACCENTED
from .urls import Link, find_links

_NONE: Final = Entities()

# Joiners, and signs inside words of some scripts: Hebrew, Japanese, Tibetan, Catalan.
_SIGNS_IN_TAG: Final = (
    r"_\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\u00b7"
)
_IN_TAG: Final = r"\p{L}\p{M}\p{Nd}" + _SIGNS_IN_TAG
# Has a letter or mark. The lookahead stops at the first one, and the run after it gives nothing back.
_TAG: Final = rf"(?=[{_IN_TAG}--\p{{L}}\p{{M}}]*+[\p{{L}}\p{{M}}])[{_IN_TAG}]++"
# The two variation selectors are marks, but end an emoji; before one or a keycap, the sign is an emoji.
# The characters before the sign are checked after it is found: a search for the sign alone is fast.
_HASHTAG: Final = regex.compile(
    rf"[#＃](?:(?<![{_IN_TAG}&].)|(?<=[\ufe0e\ufe0f].))(?![\ufe0f\u20e3])({_TAG})(?![#＃]|://)",
    regex.VERSION1,
)
_WHOLE_TAG: Final = regex.compile(rf"(?![\ufe0f\u20e3]){_TAG}", regex.VERSION1)

# Not after a letter as in me@example.com, except the mark of a retweet: "RT@name". And not a name that is
# longer than names are, goes on with an accent, or begins an address, a link or a list ("@name/list").
_MENTION: Final = re.compile(
    r"[@＠](?:(?<![A-Za-z0-9_!#$%&*@＠].)|(?<=[Rr][Tt].)(?<![A-Za-z0-9_+~.-][Rr][Tt].))"
    rf"([A-Za-z0-9_]{{3,30}})(?![A-Za-z0-9_@＠{ACCENTED}]|://|/[A-Za-z])"
)


def extract(text: str, links: Sequence[Link] | None = None) -> Entities:
    """Return the entities of `text` with offsets in the given text, so compose it first.

    `links` are the links of the text, if they are known. An entity that starts inside a link is part of the
    link.
    """
    has_tags = "#" in text or "＃" in text
    has_mentions = "@" in text or "＠" in text
    if not (has_tags or has_mentions or "://" in text):
        return _NONE
    if links is None:
        links = find_links(text)
    tags = _outside(links, _HASHTAG, text) if has_tags else ()
    mentions = _outside(links, _MENTION, text) if has_mentions else ()
    return Entities(
        tuple([Hashtag(*found) for found in tags]),
        tuple([Mention(*found) for found in mentions]),
        tuple([Url(text[start:end], start, end) for start, end, has_protocol in links if has_protocol]),
    )


def is_tag(tag: str) -> bool:
    """Say whether `#` and all of `tag` is one hashtag."""
    return _WHOLE_TAG.fullmatch(tag) is not None


class _Match(Protocol):
    """The common part of the match types of `re` and `regex` that this module uses."""

    def __getitem__(self, group: int, /) -> str: ...
    def start(self) -> int: ...
    def end(self) -> int: ...


class _Pattern(Protocol):
    """The common part of their pattern types."""

    def search(self, text: str, position: int, /) -> _Match | None: ...


def _outside(links: Sequence[Link], pattern: _Pattern, text: str) -> Iterator[tuple[str, int, int]]:
    """Yield word, start and end of the matches that start outside of every link; links are not searched."""
    position = 0
    following = 0
    while match := pattern.search(text, position):
        start = match.start()
        while following < len(links) and links[following].end <= start:
            following += 1
        if following < len(links) and links[following].start <= start:
            position = links[following].end
        else:
            yield match[1], start, match.end()
            position = match.end()
