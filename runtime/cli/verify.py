"""`minitwitter verify`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from runtime.quantities import counted

from .options import (
    Config,
    Data,
    Json,
    Port,
    explained_when_stopped,
    load,
    print_json,
    print_table,
    progress,
    run,
    table_of,
)

if TYPE_CHECKING:
    from runtime.settings import Settings
    from runtime.verdict import Verdict


_SHOWN = 5


def verify(data: Data = None, port: Port = None, config: Config = None, json: Json = False) -> None:
    """Build every read model, derived topic and the decision state again from the log, and compare with the live ones.

    Runs with or without a server. Meanwhile it takes about as much disk space as the read models: in the data
    directory, or with a Kafka URL in the settings, in the stores of the distributed profile. It waits for read models
    that lag as long as their lag shrinks. Exit code 1 if anything differs or is behind, or if there are dead letters.

    Example: minitwitter verify --data var/data
    """
    settings = load(data, port, config).settings
    with explained_when_stopped("there is no verdict, and nothing was changed"), progress(quiet=json) as bars:
        task = bars.add_task("applying the log again", total=None)
        verdict = run(
            _verify(settings, lambda total: bars.update(task, total=total), lambda done: bars.advance(task, done))
        )
    if json:
        print_json(verdict)
    else:
        _print(verdict)
    if not verdict.same or verdict.dead_letters or verdict.failed:
        raise typer.Exit(1)


async def _verify(settings: Settings, begin: Callable[[int], None], advance: Callable[[int], None]) -> Verdict:
    if settings.kafka_url is not None:
        from runtime.distributed.rebuild.verify import verify as verifying_distributed

        return await verifying_distributed(settings, begin, advance)
    from runtime.embedded.verify import verify as verifying

    return await verifying(settings.data, settings.master_key_file, begin, advance)


def _print(verdict: Verdict) -> None:
    numbers = ("live", "rebuilt", "", "ms")
    table = table_of("what", "name", *numbers, right=numbers)
    for one in verdict.findings:
        same = "same" if one.same else "[bold red]DIFFERENT"
        table.add_row(one.kind, one.name, f"{one.live:,}", f"{one.rebuilt:,}", same, f"{one.seconds * 1000:.0f}")
    differ = sum(not one.same for one in verdict.findings)
    result = f"{differ} DIFFERENT" if differ else "all the same"
    if verdict.behind and not differ:
        result = "no difference up to there"
    elif not verdict.same and not differ:
        result = "no difference in what can be compared"
    lines = [f"{counted(verdict.events, 'event')} applied again in {verdict.seconds:.1f} s: {result}"]
    lines += [
        f"BEHIND: {group} has {counted(left, 'event')} of the log yet to apply"
        for group, left in verdict.behind.items()
    ]
    if verdict.dead_letters:
        lines.append(_some("dead letter", ", applied neither here nor there", verdict.dead_letters))
    if verdict.failed:
        failed = tuple(dict.fromkeys(each.partition(" ")[2] for each in verdict.failed))
        lines.append(_some("record", " that can be applied no more", failed))
    if verdict.damaged:
        lines.append(
            f"the log is damaged at {_listed(verdict.damaged)}: restore log.db from a backup before you rebuild or"
            " discard"
        )
    if verdict.not_compared:
        lines += _left_out(verdict.not_compared)
    print_table(table, *lines)


def _some(noun: str, what: str, positions: tuple[str, ...], plural: str = "") -> str:
    return f"{counted(len(positions), noun, plural)}{what}: {_listed(positions)}"


def _listed(positions: tuple[str, ...]) -> str:
    more = f" and {len(positions) - _SHOWN:,} more" if len(positions) > _SHOWN else ""
    return f"{', '.join(positions[:_SHOWN])}{more}"


def _left_out(names: tuple[str, ...]) -> list[str]:
    topics = [name for name in names if "/" not in name]
    entities = tuple(name for name in names if "/" in name)
    told = [
        f"decision state: nothing of {topic} is compared: a record that cannot be read does not say whose it is"
        for topic in topics
    ]
    if len(entities) == 1:
        told.append(f"decision state: 1 entity with a record that cannot be read is not compared: {entities[0]}")
    elif entities:
        what = " with records that cannot be read are not compared"
        told.append(f"decision state: {_some('entity', what, entities, 'entities')}")
    return told
