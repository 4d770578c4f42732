"""Find emoji that consist of several code points: flags, keycaps, skin tones, families.

The sequences are those that Unicode recommends for interchange (https://unicode.org/Public/emoji/), taken from the
data of the `emoji` package. It is a list, not the grammar of joiners (UTS #51): any chain of emoji fits the
grammar, and a sequence weighs 2 at any length, so a tweet could hold any number of emoji.
"""

import re
from functools import cache
from typing import Final, NamedTuple

# Every sequence has at least one of these: joiner, keycap, variation selector, regional indicator, skin tone
# or tag. This alone excludes plain text in any script and most emoji.
_IN_EVERY_SEQUENCE: Final = re.compile(
    "[\u200d\u20e3\ufe0f\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
)


class _Sequences(NamedTuple):
    known: frozenset[str]
    longest: dict[str, int]
    first: re.Pattern[str]


@cache
def _load() -> _Sequences:
    """Read the package's data. Imported here, since it takes 40 ms that a process may never need."""
    from emoji import EMOJI_DATA

    known = frozenset(
        [sequence for sequence in EMOJI_DATA if len(sequence) > 1]
        # An emoji that needs no variation selector is listed without, but many keyboards send it with one.
        + [f"{emoji}\ufe0f" for emoji, facts in EMOJI_DATA.items() if "variant" in facts and len(emoji) == 1]
    )
    longest: dict[str, int] = {}
    for sequence in known:
        longest[sequence[0]] = max(longest.get(sequence[0], 0), len(sequence))
    return _Sequences(known, longest, re.compile(f"[{re.escape(''.join(sorted(longest)))}]"))


def find_sequences(text: str) -> list[tuple[int, int]]:
    """Return start and end of each emoji of more than one code point, longest first where several fit."""
    found: list[tuple[int, int]] = []
    if _IN_EVERY_SEQUENCE.search(text) is None:
        return found
    known, longest, first = _load()
    position = 0
    while match := first.search(text, position):
        start = match.start()
        position = start + 1
        for end in range(min(start + longest[match.group()], len(text)), start + 1, -1):
            if text[start:end] in known:
                found.append((start, end))
                position = end
                break
    return found
