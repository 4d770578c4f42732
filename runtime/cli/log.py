"""Shared parts of the commands that read the log: opening it, topics and positions as they are typed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    from events.ids import Millis
    from events.log import Positions, TopicPartition
    from runtime.log_inspection import Looking
    from runtime.settings import Settings

Topics = Annotated[list[str] | None, typer.Option("--topic", help="Only this topic; may be repeated.", metavar="TOPIC")]


@asynccontextmanager
async def open_log(settings: Settings) -> AsyncIterator[Looking]:
    """Open the log of either profile, beside its processes or without them.

    Raises NoLog, BadSettings, LogUnavailable, NotSetUp, MasterKeyMissing.
    """
    if settings.kafka_url is None:
        from runtime.embedded.log_inspection import looking as in_directory

        log = in_directory(settings)
        try:
            yield log
        finally:
            await log.close()
        return
    from runtime.distributed.log_inspection import looking as in_kafka

    async with in_kafka(settings) as log_in_kafka:
        yield log_in_kafka


def topics_of(wanted: list[str] | None) -> list[str] | None:
    """Return the topics that were named; None for all. Raises typer.BadParameter for one that does not exist."""
    from events.topics import LOGGED

    for name in wanted or ():
        if name not in LOGGED:
            raise typer.BadParameter(f"there is no topic {name}; there are {', '.join(LOGGED)}")
    return wanted or None


def positions(option: str, text: str | None, further: int) -> Positions | None:
    """Parse positions in the form of the output or of a Consistency-Token. Raises typer.BadParameter."""
    from events.log import Positions

    if text is None:
        return None
    try:
        parsed = Positions.parse(text.replace("@", ":"))
    except ValueError:
        parsed = Positions()
    if not parsed:
        raise typer.BadParameter(f"{text!r} is no position; it looks like tweets-0@15", param_hint=option)
    return Positions({place: offset + further for place, offset in parsed.items()})


def check_positions(given: Positions, ends: Positions, places: Collection[TopicPartition]) -> None:
    """Raise typer.BadParameter if the log has no such partition or offset."""
    for place, offset in given.items():
        topics_of([place.topic])
        if place not in places:
            there = sorted(str(one) for one in places if one.topic == place.topic)
            raise typer.BadParameter(f"there is no partition {place}; there are {', '.join(there)}")
        end = ends.get(place, 0)
        if offset > end:
            newest = f"its newest event is {place}@{end - 1}" if end else "it is empty"
            raise typer.BadParameter(f"{place}@{offset} is beyond the end of {place}: {newest}")


class Range(NamedTuple):
    """One end of what is exported: positions, or a time of events."""

    positions: Positions | None = None
    time: Millis | None = None


def range_of(option: str, text: str | None) -> Range:
    """Parse positions, or a time of events. Raises typer.BadParameter."""
    from rest.times import parse_rfc3339

    if text is None:
        return Range()
    if text[:1].isdigit():
        try:
            return Range(time=parse_rfc3339(text if len(text) > len("2015-02-17") else f"{text}T00:00:00Z"))
        except ValueError as error:
            raise typer.BadParameter(f"{error}, nor a date like 2026-11-20", param_hint=option) from None
    return Range(positions=positions(option, text, 0))
