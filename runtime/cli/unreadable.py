"""`minitwitter dead-letters discard --unreadable`: find and discard all unreadable records."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

from runtime.quantities import counted

from .options import owner, print_json, progress, run
from .terminal import printable

if TYPE_CHECKING:
    from events.operations import DeadLetterDiscarded
    from runtime.embedded.engine import Engine
    from runtime.settings import Settings
    from runtime.unreadable_records import Unreadable

_AT_ONCE = 500
"""How many records one request to the server discards."""
_WORKERS = ". Start the workers that have stopped; the list of dead letters has none of them after that"


def discard_unreadable(settings: Settings, group: str, *, yes: bool, json: bool) -> None:
    """Find the unreadable records, print them, and discard them if `yes`; otherwise exit with code 1."""
    with progress(quiet=json) as bars:
        task = bars.add_task("read", total=None)
        found = run(_find(settings, group, lambda read, of: bars.update(task, completed=read, total=of)))
    groups = found.by_group()
    if found:
        _show(found)
        if not yes:
            sys.stderr.write(
                f"minitwitter: say --yes to give {'it' if len(found) == 1 else 'them'} up: {', '.join(groups)} and"
                " rebuilds skip what is given up, and there is no way back\n"
            )
            raise typer.Exit(1)
        run(_give_up(settings, list(found.discards())))
    if json:
        print_json({"records": len(found), "groups": groups})
    elif not found:
        sys.stdout.write("all records can be read\n")
    else:
        of_groups = ", ".join(f"{number:,} of {name}" for name, number in groups.items())
        restart = _WORKERS if settings.kafka_url is not None else ""
        sys.stdout.write(f"{counted(len(found), 'record was', 'records were')} given up: {of_groups}{restart}\n")


async def _find(settings: Settings, group: str, on_read: Callable[[int, int], None]) -> Unreadable:
    """Read the log for unreadable records, while a server or workers may run."""
    from runtime.unreadable_records import find_unreadable

    if settings.kafka_url is not None:
        from runtime.distributed.dead_letters import standings_of
        from runtime.distributed.log_inspection import looking as in_kafka

        async with in_kafka(settings) as log:
            return await find_unreadable(log, await standings_of(settings, group), on_read)
    from runtime.embedded.dead_letters import standings_in
    from runtime.embedded.log_inspection import looking as in_directory

    standings = await standings_in(settings.data)
    chosen = {name: standing for name, standing in standings.items() if group in ("", name)}
    log_db = in_directory(settings)
    try:
        return await find_unreadable(log_db, chosen, on_read)
    finally:
        await log_db.close()


async def _give_up(settings: Settings, discards: Sequence[DeadLetterDiscarded]) -> None:
    """Discard through the server, or without one in this process, before a group starts that could stop at a record."""
    if settings.kafka_url is not None:
        from runtime.distributed.dead_letters import letters_of

        async with letters_of(settings) as letters:
            await letters.give_up(discards)
        return
    from runtime.embedded.control import ControlFailed, Failed, GiveUpRecords
    from runtime.embedded.dead_letters import give_up

    told = False

    async def tell(engine: Engine) -> None:
        nonlocal told
        await give_up(engine.system, discards)
        told = True

    async with owner(settings, tell) as ask:
        for first in range(0, 0 if told else len(discards), _AT_ONCE):
            async for reply in ask(GiveUpRecords(tuple(discards[first : first + _AT_ONCE]))):
                if isinstance(reply, Failed):
                    raise ControlFailed(reply.reason, reply.code)


def _show(found: Unreadable) -> None:
    """Print the records on standard error, by topic and fault, each with its first position."""
    sys.stderr.write(f"minitwitter: {counted(len(found), 'record', 'records')} cannot be read\n")
    for kind in found.kinds():
        first = "" if kind.number == 1 else "the first at "
        sys.stderr.write(f"  {kind.number:,} of {kind.topic}, {first}{kind.first}: {printable(kind.fault)}\n")
