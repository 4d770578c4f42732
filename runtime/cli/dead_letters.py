"""`minitwitter dead-letters`: list, retry and discard the records that read models could not apply."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.quantities import counted

from .options import (
    Config,
    Data,
    Json,
    Port,
    existing,
    explained_when_stopped,
    load,
    owner,
    print_json,
    print_table,
    run,
    table_of,
)
from .terminal import printable
from .unreadable import discard_unreadable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runtime.dead_letters import Choice, Mended
    from runtime.embedded.control import Reply
    from runtime.embedded.engine import Engine
    from runtime.settings import Settings
    from stores.dead_letters import DeadLetter

GOES_ON = "the server goes on with it; `minitwitter dead-letters list` says what is left"
"""The message at Ctrl-C while a server does the work."""
WORKERS_GO_ON = "the workers go on with it; `minitwitter dead-letters list` says what is left"

app = typer.Typer(help="List, retry and discard dead letters.", no_args_is_help=True)


def _named(context: typer.Context, group: str) -> str:
    """Refuse an empty --group, which would choose the dead letters of all groups."""
    source = context.get_parameter_source("group")
    if not group and source is not None and source.name != "DEFAULT":
        raise typer.BadParameter("name a group")
    return group


Group = Annotated[str, typer.Option("--group", help="Only this group of processors.", metavar="GROUP", callback=_named)]
Position = Annotated[
    str | None,
    typer.Argument(help="Where the record stands, as tweets-0@42.", metavar="[POSITION]", show_default=False),
]
Entity = Annotated[
    str | None, typer.Option("--entity", help="All dead letters of an entity, as tweets/KEY.", metavar="TOPIC/KEY")
]
Every = Annotated[bool, typer.Option("--all", help="All dead letters.")]


@app.command("list")
def list_(group: Group = "", data: Data = None, port: Port = None, config: Config = None, json: Json = False) -> None:
    """List dead letters: records that could not be applied, and the records held back behind them.

    Exit code 1 if there are any.

    Example: minitwitter dead-letters list --data var/data
    """
    from runtime.dead_letters import Choice

    settings = existing(load(data, port, config).settings)
    _check_group(settings, group)
    letters = Choice(group).of(run(_letters(settings)))
    if json:
        print_json([_plain(letter) for letter in letters])
    elif letters:
        _print(letters)
    else:
        left = run(_unread(settings, group))
        told = f" so far: {left}" if left else ""
        sys.stdout.write(f"there are no dead letters{told}\n")
    if letters:
        raise typer.Exit(1)


async def _unread(settings: Settings, group: str) -> str:
    """Return the groups with events still to read, which may become dead letters; empty if there is none."""
    from runtime.lag import BEHIND_S

    if settings.kafka_url is not None:
        from runtime.distributed.status import status as of_engines

        found = await of_engines(settings)
    else:
        from events.ids import wall_clock
        from runtime.embedded.status import of_files

        found = await of_files(settings.data, wall_clock)
    chosen = [each for each in found.groups if group in ("", each.name) and (each.lag_seconds or 0) > BEHIND_S]
    return ", ".join(f"{each.name} has {counted(each.lag_events or 0, 'event')} yet to read" for each in chosen)


@app.command()
def show(
    position: Annotated[str, typer.Argument(help="Where the record stands, as tweets-0@42.", metavar="POSITION")],
    data: Data = None,
    port: Port = None,
    config: Config = None,
) -> None:
    """Print the dead letters at a position, one for each group. `minitwitter events show` prints the record itself.

    Example: minitwitter dead-letters show tweets-0@42 --data var/data
    """
    from runtime.dead_letters import Choice

    letters = Choice(position=_checked(position)).of(run(_letters(existing(load(data, port, config).settings))))
    if not letters:
        sys.stderr.write(f"minitwitter: there is no dead letter {position}\n")
        raise typer.Exit(1)
    print_json([_plain(letter) for letter in letters])


@app.command()
def retry(
    position: Position = None,
    entity: Entity = None,
    every: Every = False,
    group: Group = "",
    data: Data = None,
    port: Port = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Apply dead letters again after their cause is fixed. All records of an entity are retried, in order.

    Exit code 1 if some are left, or if there is no such dead letter.

    Example: minitwitter dead-letters retry tweets-0@42 --data var/data
    """
    settings = existing(load(data, port, config).settings)
    choice = _choice(settings, position, entity, every, group)
    if not choice.of(run(_letters(settings))):
        _report_none(choice, json)
        return
    with _explained(settings):
        mended = run(_retry(settings, choice))
    _report(mended, f"{counted(mended.applied, 'record was', 'records were')} applied", json)


@app.command()
def discard(
    position: Position = None,
    entity: Entity = None,
    every: Every = False,
    group: Group = "",
    unreadable: Annotated[
        bool,
        typer.Option("--unreadable", help="All unreadable records, dead letters or not."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Also discard records that are not dead letters of the group.")
    ] = False,
    data: Data = None,
    port: Port = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Discard dead letters for ever, and apply the records held back behind them. Rebuilds and verify skip them, too.

    --all and --entity discard the records that failed, and apply the held-back ones. A held-back record is discarded
    only if you name its position. The record stays in the log. With --group and --yes you can discard a record at
    which a rebuild stops. --unreadable reads the log from the position of each group, prints how many records are
    unreadable, and discards them with --yes. Exit code 1 if some are left, or if there is no such dead letter.

    Example: minitwitter dead-letters discard tweets-0@42 --data var/data
    """
    if unreadable and (position is not None or entity is not None or every):
        raise typer.BadParameter("--unreadable finds the records itself; name only a --group with it")
    settings = existing(load(data, port, config).settings)
    if unreadable:
        _check_group(settings, group)
        discard_unreadable(settings, group, yes=yes, json=json)
        return
    choice = _choice(settings, position, entity, every, group)
    if not choice.of(run(_letters(settings))):
        if choice.position and choice.group:
            _discard_without_letter(settings, choice, yes, json)
        else:
            _report_none(choice, json)
        return
    with _explained(settings):
        mended = run(_discard(settings, choice))
    given_up = counted(mended.discarded, "dead letter was", "dead letters were")
    applied = counted(mended.applied, "held-back record was", "held-back records were")
    _report(mended, f"{given_up} discarded, {applied} applied", json)


def _choice(settings: Settings, position: str | None, entity: str | None, every: bool, group: str) -> Choice:
    from runtime.dead_letters import Choice

    if (position is not None) + (entity is not None) + every != 1:
        raise typer.BadParameter("name a position, or an entity with --entity, or pass --all")
    if entity is not None and not all(entity.partition("/")):
        raise typer.BadParameter(f"not an entity: {entity!r}; it looks like tweets/KEY")
    _check_group(settings, group)
    return Choice(group, "" if position is None else _checked(position), entity or "")


def _checked(position: str) -> str:
    from events.log import parse_place
    from runtime.discards import TOPIC

    try:
        place, _ = parse_place(position)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if place.topic == TOPIC:
        raise typer.BadParameter(f"no group reads {TOPIC}: what stands there cannot be given up")
    return position


def _check_group(settings: Settings, group: str) -> None:
    """Raise typer.BadParameter if the profile has no such group."""
    if settings.kafka_url is not None:
        from runtime.distributed.models.catalogue import STORES

        known = sorted(name for groups in STORES.values() for name in groups)
    else:
        from runtime.embedded.models import GROUPS

        known = sorted(GROUPS)
    if group and group not in known:
        raise typer.BadParameter(f"no group is called {group!r}; there are {', '.join(known)}")


async def _letters(settings: Settings) -> list[DeadLetter]:
    if settings.kafka_url is not None:
        from runtime.dead_letters import Choice
        from runtime.distributed.dead_letters import letters_of

        async with letters_of(settings) as letters:
            return await letters.list(Choice())
    from runtime.embedded.dead_letters import letters_in

    return await letters_in(settings.data)


def _explained(settings: Settings) -> AbstractContextManager[None]:
    return explained_when_stopped(WORKERS_GO_ON) if settings.kafka_url is not None else nullcontext()


async def _retry(settings: Settings, choice: Choice) -> Mended:
    if settings.kafka_url is not None:
        from runtime.distributed.dead_letters import letters_of

        async with letters_of(settings) as letters:
            return await letters.retry(choice)
    from runtime.embedded.control import RetryLetters

    async with owner(settings, goes_on=GOES_ON) as ask:
        return await _mended(ask(RetryLetters(choice)))


async def _discard(settings: Settings, choice: Choice) -> Mended:
    """Discard through the server, or without one in this process.

    In this process the discard is appended to the log before a group starts, which could stop at the record.
    """
    from runtime.dead_letters import Mended, NothingToDiscard
    from runtime.embedded.control import ControlFailed, DiscardLetters
    from runtime.embedded.dead_letters import discard

    if settings.kafka_url is not None:
        from runtime.distributed.dead_letters import letters_of

        async with letters_of(settings) as letters:
            try:
                return await letters.discard(choice)
            except NothingToDiscard as error:
                raise ControlFailed(str(error)) from None
    told: list[int] = []

    async def tell(engine: Engine) -> None:
        try:
            told.append(await discard(engine.system, choice))
        except (NothingToDiscard, ValueError) as error:
            raise ControlFailed(str(error)) from None

    before = await _letters(settings)
    async with owner(settings, tell, GOES_ON) as ask:
        if not told:
            return await _mended(ask(DiscardLetters(choice)))
    after = await _letters(settings)
    entities = {letter.entity for letter in choice.of(before)}
    left = sum(letter.entity in entities for letter in after)
    return Mended(max(0, len(before) - len(after) - told[0]), told[0], left)


async def _mended(replies: AsyncIterator[Reply]) -> Mended:
    from runtime.dead_letters import Mended
    from runtime.embedded.control import ControlFailed, Failed, LettersMended

    mended = Mended()
    async for reply in replies:
        if isinstance(reply, Failed):
            raise ControlFailed(reply.reason, reply.code)
        if isinstance(reply, LettersMended):
            mended = reply.mended
    return mended


def _discard_without_letter(settings: Settings, choice: Choice, yes: bool, json: bool) -> None:
    """Discard a record at which a rebuild stopped. No log tells that a rebuild stopped there, so --yes is required."""
    if not yes:
        sys.stderr.write(
            f"minitwitter: {choice.position} is no dead letter of {choice.group}. If a rebuild stopped at it, say"
            f" --yes: {choice.group} and its rebuilds skip the record then, and there is no way back\n"
        )
        raise typer.Exit(1)
    mended = run(_discard(settings, choice))
    _report(mended, f"{choice.position} is given up: {choice.group} and its rebuilds skip it", json)


def _report_none(choice: Choice, json: bool) -> None:
    """Print that there are no such dead letters. Exit code 1 if a named position or entity has none."""
    from runtime.dead_letters import Mended

    of_group = f" of {choice.group}" if choice.group else ""
    if choice.position:
        sys.stderr.write(f"minitwitter: there is no dead letter {choice.position}{of_group}\n")
        raise typer.Exit(1)
    if choice.entity:
        sys.stderr.write(f"minitwitter: there are no dead letters of {choice.entity}{of_group}\n")
        raise typer.Exit(1)
    _report(Mended(), f"there are no dead letters{of_group}", json)


def _report(mended: Mended, sentence: str, json: bool) -> None:
    if json:
        print_json(mended)
    else:
        left = (
            f"; {counted(mended.left, 'is', 'are')} left: `minitwitter dead-letters list` says why"
            if mended.left
            else ""
        )
        sys.stdout.write(f"{sentence}{left}\n")
    if mended.left:
        raise typer.Exit(1)


def _plain(letter: DeadLetter) -> dict[str, Any]:
    from rest.times import rfc3339

    return {
        "group": letter.group,
        "position": letter.position,
        "entity": f"{letter.place.topic}/{letter.key}" if letter.key else None,
        "event": letter.event_id or None,
        "type": letter.type,
        "version": letter.version,
        "cause": letter.cause or None,
        "at": rfc3339(letter.at),
        "attempts": letter.attempts,
    }


def _print(letters: list[DeadLetter]) -> None:
    from rest.times import rfc3339

    columns = ("group", "position", "type", "entity", "set aside", "attempts", "cause")
    table = table_of(*columns, right=("attempts",))
    for letter in letters:
        cause = _shown(letter.cause) or "held back behind an earlier one"
        entity = _shown(f"{letter.place.topic}/{letter.key}") if letter.key else ""
        at, attempts = rfc3339(letter.at), str(letter.attempts)
        table.add_row(letter.group, letter.position, _shown(letter.type), entity, at, attempts, cause)
    print_table(table)


def _shown(text: str) -> str:
    """Return text of a record for a table, without control characters and with markup escaped."""
    from rich.markup import escape

    return escape(printable(text))
