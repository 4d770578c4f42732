"""`minitwitter rebuild`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.quantities import counted

from .options import Config, Data, Json, Port, existing, load, owner, print_json, progress, run

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from runtime.distributed.rebuild.rebuild import ComparedModel as InPlace
    from runtime.embedded.control import CancelRebuilds, RebuildModels, RebuildStatus
    from runtime.rebuild_progress import Compared
    from runtime.rebuild_progress import RebuildProgress as Under
    from runtime.settings import Settings

GOES_ON = (
    "the server goes on rebuilding; `minitwitter rebuild --status` shows its progress, `minitwitter rebuild --cancel`"
    " ends it"
)
DECISIONS = "decisions"
_VERDICTS = {True: "the same as before", False: "DIFFERENT from before", None: "nothing to compare with"}


def rebuild(
    models: Annotated[list[str] | None, typer.Argument(help="Read models.", metavar="[MODEL]...")] = None,
    every: Annotated[bool, typer.Option("--all", help="Rebuild all read models.")] = False,
    back: Annotated[
        bool,
        typer.Option(
            "--back", help="Go back to the previous generation: apply the events since it stopped, and switch."
        ),
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Show the running rebuilds and their progress.")] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Cancel the server's rebuilds; the live read models are not changed.")
    ] = False,
    from_nothing: Annotated[
        bool,
        typer.Option(
            "--from-nothing",
            help="Without a server: move views.db aside and build all read models from the log, for a restored log.db.",
        ),
    ] = False,
    data: Data = None,
    port: Port = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Build a new generation of read models from the log beside the live one, then switch to it without downtime.

    The previous generation is kept until the next rebuild. Exit code 1 if a rebuilt read model differs from the live
    one. A server continues the rebuild after Ctrl-C: --status shows its progress, --cancel ends it.

    With a Kafka URL in the settings, it rebuilds in the distributed profile: name a group; the groups in the same store
    are rebuilt with it. This command does the rebuild itself and ends it at Ctrl-C; --status, in another terminal,
    shows its progress. `decisions`, alone, rebuilds the decision state from the log in Kafka; writes wait meanwhile.

    Example: minitwitter rebuild tweets counts --data var/data
    """
    from runtime.embedded.control import CancelRebuilds, RebuildModels, RebuildStatus

    if [bool(models), every, status, cancel, from_nothing].count(True) != 1:
        raise typer.BadParameter("name read models, or pass --all, --status, --cancel or --from-nothing")
    settings = load(data, port, config).settings
    if settings.kafka_url is not None:
        if status:
            _print_under_way(run(_ask_notes(settings)), "nothing is being rebuilt", json)
            return
        if cancel or from_nothing:
            raise typer.BadParameter("in the distributed profile the command itself rebuilds, and ends with Ctrl-C")
        if models is not None and DECISIONS in models:
            if back or len(models) > 1:
                raise typer.BadParameter(f"{DECISIONS} is rebuilt alone, and has no generation before")
            folded = run(_rebuild_decisions(settings, json))
            sys.stdout.write("" if json else f"the decision state is folded from {folded:,} events of the log\n")
            return
        _print_distributed(run(_rebuild_distributed(settings, models or [], back, json)), json)
        return
    existing(settings)
    if status or cancel:
        run(_ask_server(settings, CancelRebuilds() if cancel else RebuildStatus(), json))
        return
    if from_nothing:
        sys.stdout.write(run(_from_nothing(settings, json)) + "\n")
        return
    compared = run(_rebuild(settings, RebuildModels(tuple(models or ()), back), json))
    if json:
        print_json(compared)
    else:
        for one in compared:
            verdict = "of a new version" if one.same is None else _VERDICTS[one.same]
            sys.stdout.write(f"{one.model}: generation {one.generation}, {counted(one.rows, 'row')}, {verdict}\n")
    if any(one.same is False for one in compared):
        raise typer.Exit(1)


def _print_distributed(compared: list[InPlace], json: bool) -> None:
    if json:
        print_json(compared)
    else:
        for one in compared:
            sys.stdout.write(f"{one.model}: now in {one.place}, {counted(one.rows, 'row')}, {_VERDICTS[one.same]}\n")
    if any(one.same is False for one in compared):
        raise typer.Exit(1)


async def _rebuild_distributed(settings: Settings, names: list[str], back: bool, quiet: bool) -> list[InPlace]:
    from runtime.distributed.rebuild.rebuild import rebuild, stores_of

    compared: list[InPlace] = []
    with progress(quiet=quiet) as bars:
        for store in stores_of(names):
            task = bars.add_task(store, total=None)
            compared += await rebuild(
                settings, store, partial(_begin, bars, task), partial(bars.advance, task), back=back
            )
    return compared


async def _rebuild_decisions(settings: Settings, quiet: bool) -> int:
    from runtime.distributed.rebuild.rebuild import rebuild_decisions

    with progress(quiet=quiet) as bars:
        task = bars.add_task(DECISIONS, total=None)
        return await rebuild_decisions(settings, partial(_begin, bars, task), partial(bars.advance, task))


def _begin(bars: Progress, task: TaskID, total: int) -> None:
    bars.update(task, total=total)


def _named(models: Sequence[str]) -> str:
    """Return the label of a progress bar: the first read model and the number of others, to leave room for the bar."""
    first, *others = models
    return f"{first} and {len(others)} more" if others else first


async def _rebuild(settings: Settings, request: RebuildModels, quiet: bool) -> list[Compared]:
    from runtime.embedded.control import ControlFailed, Failed, Rebuilding

    compared: list[Compared] = []
    with progress(quiet=quiet) as bars:
        tasks = {}
        async with owner(settings, goes_on=GOES_ON) as ask:
            async for reply in ask(request):
                if isinstance(reply, Failed):
                    raise ControlFailed(reply.reason, reply.code)
                if isinstance(reply, Rebuilding):
                    now = reply.progress
                    if now.models not in tasks:
                        tasks[now.models] = bars.add_task(_named(now.models), total=now.total)
                    bars.update(tasks[now.models], total=now.total, completed=now.done)
                    compared += now.compared
    return compared


async def _ask_server(settings: Settings, request: RebuildStatus | CancelRebuilds, json: bool) -> None:
    """Print the answer of the server; without a server, print that nothing is being rebuilt. Raises ViewsDamaged."""
    from runtime.embedded.control import ControlClient, Done, NoServer, Rebuilding
    from stores.sqlite.views import NoViews, Views

    under_way: list[Under] = []
    said = "nothing is being rebuilt"
    client = ControlClient(settings.data)
    try:
        async with client:
            async for reply in client.ask(request):
                if isinstance(reply, Rebuilding):
                    under_way.append(reply.progress)
                elif isinstance(reply, Done):
                    said = reply.detail or said
    except NoServer:
        if client.connected:
            raise
        with suppress(NoViews):
            Views.beside(settings.data, ()).connection.close()
    _print_under_way(under_way, said, json)


async def _ask_notes(settings: Settings) -> list[Under]:
    """Return the progress of the rebuild commands that run in the distributed profile.

    Raises BadSettings, StoreUnavailable.
    """
    from runtime.distributed.models.catalogue import STORES
    from runtime.distributed.rebuild.notes import rebuilds
    from runtime.rebuild_progress import RebuildProgress as Under

    return [
        Under(STORES.get(one.store, (one.store,)), "building", one.done, one.total) for one in await rebuilds(settings)
    ]


def _print_under_way(under_way: list[Under], said: str, json: bool) -> None:
    if json:
        print_json(under_way)
    elif not under_way:
        sys.stdout.write(f"{said}\n")
    for one in under_way if not json else ():
        share = one.done / one.total if one.total else float(one.state == "done")
        sys.stdout.write(
            f"{', '.join(one.models)}: {one.state}, {share:.0%} ({one.done:,} of {counted(one.total, 'event')})\n"
        )


async def _from_nothing(settings: Settings, quiet: bool) -> str:
    """Move views.db aside and build a new one from the log; return a sentence about it.

    Raises AlreadyOwned if a server runs.
    """
    from runtime.embedded.control import AwaitCurrent, Lagging
    from runtime.embedded.log_db import Ownership, check_log_there
    from runtime.embedded.log_identity import fold_in, set_aside
    from runtime.embedded.projector_process import take_over

    ownership = Ownership(settings.data)
    try:
        check_log_there(settings.data)
        views = take_over(settings.data)
        aside = set_aside(settings.data)
        if aside is not None:
            fold_in(aside)
        views.release()
    finally:
        ownership.release()
    with progress(quiet=quiet) as bars:
        task, most = bars.add_task("applying the log", total=None), 0
        async with owner(settings) as ask:
            async for reply in ask(AwaitCurrent()):
                if isinstance(reply, Lagging):
                    most = max(most, reply.events)
                    bars.update(task, total=most, completed=most - reply.events)
    kept = f"; the old ones are in {aside}, delete it when you are sure" if aside else ""
    return f"the read models are made from the log{kept}"
