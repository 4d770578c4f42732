"""Weigh a text by the third configuration of twitter-text (`config/v3.json` there).

The unit is the weight of a Latin letter. A character of a denser script, such as Chinese, weighs 2, and so does any
emoji. A link weighs as much as its form shortened by Twitter.
"""

import re
from collections.abc import Sequence
from typing import Final

from .emojis import find_sequences
from .urls import Link, find_links

LIMIT: Final = 280
URL_WEIGHT: Final = 23
EMOJI_WEIGHT: Final = 2
#: The first and last code point of each range whose characters weigh 1; all others weigh 2.
LIGHT_RANGES: Final = ((0x0000, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037))

LONGEST_PLAIN: Final = 8 * LIMIT
"""More code points than weigh `LIMIT` without a link: an emoji of ten weighs 2."""

_LIGHT: Final = "".join(f"{chr(first)}-{chr(last)}" for first, last in LIGHT_RANGES)
_HEAVY: Final = re.compile(f"[^{_LIGHT}]+")


def weigh(text: str, links: Sequence[Link]) -> int:
    """Return the weight of `text`, in NFC, with these links. A tweet weighs at most `LIMIT`."""
    weight = 0
    position = 0
    for start, end, _ in links:
        weight += _weigh_plain(text[position:start]) + URL_WEIGHT
        position = end
    return weight + _weigh_plain(text[position:])


def find_few_links(text: str) -> list[Link] | None:
    """Return the links of `text`, in NFC; None as soon as a long text is known to weigh more than `LIMIT`.

    Only links let a long text weigh little, and few of them fit into `LIMIT`, so the search is bounded.
    """
    if len(text) <= LONGEST_PLAIN:
        return find_links(text)
    if "." not in text:
        return None
    hopeless = False

    def enough(settled: int, links: list[Link]) -> bool:
        nonlocal hopeless
        plain = settled - sum(link.end - link.start for link in links)
        hopeless = len(links) > LIMIT // URL_WEIGHT or plain > LONGEST_PLAIN
        return hopeless

    links = find_links(text, enough)
    return None if hopeless else links


def _weigh_plain(text: str) -> int:
    """Return the weight of a text without links."""
    if text.isascii():
        return len(text)
    weight = _weigh_characters(text)
    for start, end in find_sequences(text):
        weight -= _weigh_characters(text[start:end]) - EMOJI_WEIGHT
    return weight


def _weigh_characters(text: str) -> int:
    return len(text) + sum(map(len, _HEAVY.findall(text)))
