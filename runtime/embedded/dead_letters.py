"""Dead letters of the embedded profile: reads them beside the process that owns the data, and discards them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import cast

import apsw

from events.event import Envelope
from events.ids import EventId
from events.log import New, parse_place
from events.operations import DeadLetterDiscarded
from events.topics import DERIVED
from projectors.projector import Projector
from runtime.dead_letters import Choice, NothingToDiscard
from runtime.unreadable_records import Standing
from stores.dead_letters import DeadLetter, all_letters
from stores.sqlite.dead_letters import SqliteDeadLetters
from stores.sqlite.sink import SqliteSink
from stores.sqlite.views import Views

from .models import GROUPS, STREAMS
from .system import System


async def letters_in(directory: Path) -> list[DeadLetter]:
    """Return the dead letters of all groups. Raises NoViews, ViewsDamaged: then they are unknown."""
    views = Views.beside(directory, ())
    try:
        return [letter for group in GROUPS for letter in await all_letters(SqliteDeadLetters(views.connection, group))]
    except apsw.SQLError:  # an older version made it, which had no dead letters
        return []
    finally:
        views.connection.close()


async def standings_in(directory: Path) -> dict[str, Standing]:
    """Return the state of each group, read beside the process that owns the data. Raises NoViews, ViewsDamaged."""
    letters = await letters_in(directory)
    views = Views.beside(directory, ())
    try:
        return {
            group: Standing(
                _topics(group),
                await SqliteSink(views, group).positions(),
                [letter for letter in letters if letter.group == group],
            )
            for group in GROUPS
        }
    finally:
        views.connection.close()


def _topics(group: str) -> frozenset[str]:
    """Return the source topics that a group reads."""
    projectors = (cast(type[Projector], model.projector) for model in GROUPS[group])
    processors = (*projectors, *(derivation.stream for derivation in STREAMS[group]))
    return frozenset[str]().union(*(each.topics() for each in processors)).difference(DERIVED)


async def give_up(system: System, discards: Iterable[DeadLetterDiscarded]) -> None:
    """Append the events that discard these records, whether or not they are dead letters. Raises LogUnavailable."""
    await system.log.append(_new(system, discards))


async def discard(system: System, choice: Choice) -> int:
    """Append the events that discard these dead letters; return their number.

    A letter that is only held back is discarded if its position is named. If a group is named, the position may be that
    of a record without a letter: one that stops a rebuild. Raises NothingToDiscard, LogUnavailable, and ValueError for
    a malformed position.
    """
    chosen = choice.given_up(await letters_in(system.directory))
    events = [
        DeadLetterDiscarded(position=one.position, group=one.group, type=one.type, event=one.event_id) for one in chosen
    ] or [await _of_no_letter(system, choice)]
    await give_up(system, events)
    return len(events)


def _new(system: System, events: Iterable[DeadLetterDiscarded]) -> list[New]:
    return [New(event, Envelope(id=EventId(system.ids.issue()), time=system.clock())) for event in events]


async def _of_no_letter(system: System, choice: Choice) -> DeadLetterDiscarded:
    if not choice.position:
        raise NothingToDiscard("there are no such dead letters")
    if choice.group not in GROUPS:
        raise NothingToDiscard(
            f"{choice.position} is no dead letter; to have rebuilds skip it all the same, say --group"
            f" {' or --group '.join(GROUPS)}"
        )
    place, offset = parse_place(choice.position)
    table = system.log.table
    records = table.read(place, offset, 1) if place in table.places else []
    if not records:
        raise NothingToDiscard(f"there is no record at {choice.position}")
    [record] = records
    event = "" if record.fault else record.about.id
    return DeadLetterDiscarded(position=record.position, group=choice.group, type=record.type, event=event)
