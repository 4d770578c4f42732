"""The state of each role, from what it knows of its engines and read models, for /readyz.

`minitwitter status`, which asks the engines itself, uses the same functions. docs/reference/failures.md has the table
that tests compare them with.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from runtime.dead_letter_policy import MOST
from runtime.distributed.models.catalogue import WORKERS
from runtime.lag import Behind
from runtime.quantities import counted
from runtime.readiness import Part
from runtime.status import group_part
from stores.dead_letters import Counts
from stores.groups import HOME, TIMELINES

NEEDED = frozenset((TIMELINES, HOME))
"""Groups without whose store nearly nothing can be read."""
STORE_UNAVAILABLE = "its store is unavailable"


class GroupProgress(NamedTuple):
    """The progress of a group: `unavailable` says why its store does not answer, `lost` that the store lost something.

    `workers` are its members in Kafka; None if unknown, as `letters`.
    """

    group: str
    behind: Behind = Behind()
    unavailable: str = ""
    lost: bool = False
    letters: Counts | None = None
    workers: int | None = None


def command_parts(*, postgres: str = "", kafka: str = "", media: str = "") -> list[Part]:
    """Return the parts of the command API: PostgreSQL, without which no command is decided; Kafka, without which writes
    wait in the outbox; the media store, without which only uploads fail.
    """
    return [Part.of("postgres", down=postgres), Part.of("kafka", degraded=kafka), Part.of("media", degraded=media)]


def query_parts(groups: Iterable[GroupProgress], *, sessions: str = "", kafka: str = "") -> list[Part]:
    """Return the parts of the query API. Only Cassandra is needed to serve: without the others most reads continue.

    `sessions` says why keys and ended sessions cannot be polled: PostgreSQL is unreachable.

    While the log does not answer, the lag of the read models is unknown.
    """
    return [
        Part.of("sessions", degraded=sessions),
        Part.of("kafka", degraded=kafka),
        *(reached_part(each) for each in groups),
    ]


def reached_part(reached: GroupProgress) -> Part:
    """Return the part of a group, for a process that serves reads."""
    if reached.unavailable and reached.group in NEEDED:
        return Part.of(reached.group, down=reached.unavailable)
    letters = reached.letters or Counts(0, 0)
    stopped = reached.workers == 0 and letters.failed >= MOST
    return group_part(
        reached.group,
        unavailable=reached.unavailable,
        idle=idle(reached.group, letters.failed) if reached.workers == 0 else "",
        lost=reached.lost,
        behind=reached.behind,
        letters=0 if stopped else letters.all,  # `idle` reports that
    )


def idle(group: str, failed: int = 0) -> str:
    """Return the sentence about a group without members: no worker runs, or the group stopped.

    `failed` is the number of failed dead letters: with MOST of them, the next failure stops a group.
    """
    [work] = [name for name, groups in WORKERS.items() if group in groups]
    if failed >= MOST:
        return (
            f"nobody works on it: it stopped, since {counted(failed, 'record')} could not be applied;"
            f" `minitwitter dead-letters list --group {group}` shows them; mend the cause or discard them, then run"
            f" `minitwitter work {work}`"
        )
    return f"nobody works on it: run `minitwitter work {work}`, or see in its /readyz why this group has stopped"


def fitting_parts(unfit: str, lacks: str, *, reads: bool = False) -> list[Part]:
    """Return the read models that do not fit the log, or lack rows; none if all is well.

    A worker must stop then. A process that `reads` continues with the rows that there are: otherwise all of them would
    be down at once.
    """
    if not unfit and not lacks:
        return []
    if reads:
        return [Part.of("rows", degraded=unfit or lacks)]
    return [Part.of("rows", down=unfit, degraded=lacks)]


def relay_parts(*, postgres: str = "", kafka: str = "") -> list[Part]:
    """Return the parts of the relay: both ends, without which it can do nothing. A relay that waits to lead
    is ready.
    """
    return [Part.of("postgres", down=postgres), Part.of("kafka", down=kafka)]


def worker_parts(groups: Iterable[Part], *, kafka: str = "") -> list[Part]:
    """Return the parts of a worker: each hosted group, and Kafka, without which none of them works."""
    return [Part.of("kafka", down=kafka), *groups]
