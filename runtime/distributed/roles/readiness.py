"""Which state each role is in, by what it knows of its engines and of the read models: what its /readyz answers.

One place for all roles, and for `minitwitter status`, which asks the engines itself. docs/reference/failures.md has the
table that these functions are held to.
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
"""Without the store of these nearly nothing can be read."""
STORE_AWAY = "its store is away"


class GroupProgress(NamedTuple):
    """A group as its store tells: `away` says why it does not, `lost` that it lost something.

    `workers` are the members of its group in Kafka; None where nobody can tell, as for `letters`.
    """

    group: str
    behind: Behind = Behind()
    away: str = ""
    lost: bool = False
    letters: Counts | None = None
    workers: int | None = None


def command_parts(*, postgres: str = "", kafka: str = "", media: str = "") -> list[Part]:
    """PostgreSQL, without which nothing is decided; Kafka, without which writes go on into the outbox; the store of
    media, without which all but uploads go on."""
    return [Part.of("postgres", down=postgres), Part.of("kafka", degraded=kafka), Part.of("media", degraded=media)]


def query_parts(groups: Iterable[GroupProgress], *, sessions: str = "", kafka: str = "") -> list[Part]:
    """What reads need. Only Cassandra keeps the process from serving: without the others most reads go on.

    `sessions` says why keys and ended sessions cannot be looked after: PostgreSQL is away.

    While the log does not answer, nobody can tell how far behind the read models are.
    """
    return [
        Part.of("sessions", degraded=sessions),
        Part.of("kafka", degraded=kafka),
        *(reached_part(each) for each in groups),
    ]


def reached_part(reached: GroupProgress) -> Part:
    """A group as a part of what serves reads."""
    if reached.away and reached.group in NEEDED:
        return Part.of(reached.group, down=reached.away)
    letters = reached.letters or Counts(0, 0)
    stopped = reached.workers == 0 and letters.failed >= MOST
    return group_part(
        reached.group,
        away=reached.away,
        idle=idle(reached.group, letters.failed) if reached.workers == 0 else "",
        lost=reached.lost,
        behind=reached.behind,
        letters=0 if stopped else letters.all,  # which `idle` tells of
    )


def idle(group: str, failed: int = 0) -> str:
    """What is said of a group that no worker is a member of: none runs, or the group stopped.

    `failed` are the dead letters that failed: with MOST of them, the next failure stops a group.
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
    """Read models that do not fit the log, or lack rows. Nothing where all is well.

    A worker has to stop there. A process that `reads` goes on with what is there: all of them would be down at once.
    """
    if not unfit and not lacks:
        return []
    if reads:
        return [Part.of("rows", degraded=unfit or lacks)]
    return [Part.of("rows", down=unfit, degraded=lacks)]


def relay_parts(*, postgres: str = "", kafka: str = "") -> list[Part]:
    """Both ends, without which it can do nothing. Waiting to lead is what all relays but one do."""
    return [Part.of("postgres", down=postgres), Part.of("kafka", down=kafka)]


def worker_parts(groups: Iterable[Part], *, kafka: str = "") -> list[Part]:
    """Each group that is hosted, and Kafka, without which none of them has anything to do."""
    return [Part.of("kafka", down=kafka), *groups]
