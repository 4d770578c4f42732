"""Upcasters: functions that convert an old version of an event to the next version.

An upcaster takes and returns the event's fields as plain JSON values, with sealed fields opened. Stored events are
never edited; they are converted when they are read (law 8; tests/schemas has a golden file of every version).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Fields = dict[str, Any]
Upcaster = Callable[[Fields], Fields]

UPCASTERS: dict[tuple[str, int], Upcaster] = {}


def upcasts(name: str, *, since: int) -> Callable[[Upcaster], Upcaster]:
    """Register the upcaster from version `since` of an event to the next version."""

    def register(step: Upcaster) -> Upcaster:
        UPCASTERS[name, since] = step
        return step

    return register


@upcasts("TweetPosted", since=1)
def _(fields: Fields) -> Fields:
    """Version 1 called the mark `nsfw` and had no content warning."""
    fields["sensitive"] = fields.pop("nsfw", False)
    return fields


@upcasts("TweetPosted", since=2)
def _(fields: Fields) -> Fields:
    """Version 2 knew no media."""
    return fields | {"media": []}


@upcasts("ProfileChanged", since=1)
def _(fields: Fields) -> Fields:
    """Version 1 knew no pictures."""
    return fields | {"profile": fields["profile"] | {"avatar": None, "header": None}}
