"""`minitwitter rebuild`."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Config, Data, Json, Port, existing, load, owner, print_json, progress, run

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from runtime.control import RebuildModels
    from runtime.distributed.rebuilding import Compared as InPlace
    from runtime.embedded.rebuilding import Compared
    from runtime.settings import Settings

_VERDICTS = {True: "the same as before", False: "DIFFERENT from before", None: "nothing to compare with"}


def rebuild(
    models: Annotated[list[str] | None, typer.Argument(help="Read models.", metavar="[MODEL]...")] = None,
    every: Annotated[bool, typer.Option("--all", help="Rebuild all of them.")] = False,
    back: Annotated[
        bool,
        typer.Option("--back", help="Go back to the generation before: bring it up from where it stopped, and switch."),
    ] = False,
    data: Data = None,
    port: Port = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Build a new generation of read models from the log beside the live one, then switch to it. Serving goes on.

    The generation that was current is kept until the next rebuild. Exit code 1 if a rebuilt one differs from it.

    Where Kafka is set it is the distributed profile: there a group is named, and what shares its store comes with it.

    Example: minitwitter rebuild tweets counts --data var/data
    """
    from runtime.control import RebuildModels

    if bool(models) == every:
        raise typer.BadParameter("name read models, or say --all")
    settings = load(data, port, config).settings
    if settings.kafka_url is not None:
        _print_distributed(run(_rebuild_distributed(settings, models or [], back, json)), json)
        return
    compared = run(_rebuild(existing(settings), RebuildModels(tuple(models or ()), back), json))
    if json:
        print_json(compared)
    else:
        for one in compared:
            verdict = "of a new version" if one.same is None else _VERDICTS[one.same]
            sys.stdout.write(f"{one.model}: generation {one.generation}, {one.rows} rows, {verdict}\n")
    if any(one.same is False for one in compared):
        raise typer.Exit(1)


def _print_distributed(compared: list[InPlace], json: bool) -> None:
    if json:
        print_json(compared)
    else:
        for one in compared:
            sys.stdout.write(f"{one.model}: now in {one.place}, {one.rows} rows, {_VERDICTS[one.same]}\n")
    if any(one.same is False for one in compared):
        raise typer.Exit(1)


async def _rebuild_distributed(settings: Settings, names: list[str], back: bool, quiet: bool) -> list[InPlace]:
    from runtime.distributed.rebuilding import rebuild, stores_of

    compared: list[InPlace] = []
    with progress(quiet=quiet) as bars:
        for store in stores_of(names):
            task = bars.add_task(store, total=None)
            compared += await rebuild(
                settings, store, partial(_begin, bars, task), partial(bars.advance, task), back=back
            )
    return compared


def _begin(bars: Progress, task: TaskID, total: int) -> None:
    bars.update(task, total=total)


async def _rebuild(settings: Settings, request: RebuildModels, quiet: bool) -> list[Compared]:
    from runtime.control import ControlFailed, Failed, Rebuilding

    compared: list[Compared] = []
    with progress(quiet=quiet) as bars:
        tasks = {}
        async with owner(settings) as ask:
            async for reply in ask(request):
                if isinstance(reply, Failed):
                    raise ControlFailed(reply.reason)
                if isinstance(reply, Rebuilding):
                    now = reply.progress
                    if now.models not in tasks:
                        tasks[now.models] = bars.add_task(", ".join(now.models), total=now.total)
                    bars.update(tasks[now.models], total=now.total, completed=now.done)
                    compared += now.compared
    return compared
