"""Bringing old versions of events to today's classes: one function for each step, from a version to the next.

An upcaster takes and returns the event's fields as plain JSON values, opened where they were sealed. What was once
written is never edited; it is read through these (law 8; tests/schemas holds a golden file of every version).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Fields = dict[str, Any]
Upcaster = Callable[[Fields], Fields]

UPCASTERS: dict[tuple[str, int], Upcaster] = {}


def upcasts(name: str, *, since: int) -> Callable[[Upcaster], Upcaster]:
    """Register the step from version `since` of an event to the one after it."""

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
