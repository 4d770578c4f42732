"""What /readyz of each role and `minitwitter status` say in each state that the page of failures has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from runtime.dead_letter_policy import MOST
from runtime.distributed.models.catalogue import CASSANDRA, COUNTERS, SEARCHES, STORES, WORKERS
from runtime.distributed.roles.readiness import (
    STORE_UNAVAILABLE,
    GroupProgress,
    command_parts,
    fitting_parts,
    query_parts,
    reached_part,
    relay_parts,
    worker_parts,
)
from runtime.distributed.status import parts_of
from runtime.lag import Behind
from runtime.readiness import Part, Readiness
from runtime.status import Outbox
from stores.dead_letters import Counts
from stores.groups import COUNTS, HOME, SEARCH, STREAMS, TIMELINES, TRENDS
from tests.docs.test_failures import LONG, PAGE

TABLE = PAGE.partition("## ")[0]
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TABLE.splitlines() if line.startswith("| ")]
HEADER, *STATES = ROWS
GROUPS = (TIMELINES, HOME, STREAMS, COUNTS, SEARCH, TRENDS)
ON = {"cassandra": STORES[CASSANDRA], "redis": STORES[COUNTERS], "postgres": STORES[SEARCHES]}
LATE = Behind(12, 61.0)


@dataclass
class World:
    """What there is to find: engines that are unavailable, groups that nobody works on, that have lost something."""

    unavailable: dict[str, str] = field(default_factory=dict)
    idle: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    letters: int = 0
    stopped: str = ""
    outbox: Outbox = field(default_factory=lambda: Outbox(0, 0.0))

    def reached(self) -> list[GroupProgress]:
        gone = {group for engine in self.unavailable for group in ON.get(engine, ())}
        return [
            GroupProgress(
                group,
                unavailable=STORE_UNAVAILABLE if group in gone else "",
                lost=group in self.lost,
                letters=Counts(self.letters, self.letters),
                workers=0 if group in self.idle else 2,
            )
            for group in GROUPS
        ]

    def told(self, who: str) -> Readiness:
        unavailable = self.unavailable.get
        parts: Sequence[Part]
        if who == "command":
            parts = command_parts(
                postgres=unavailable("postgres", ""), kafka=unavailable("kafka", ""), media=unavailable("s3", "")
            )
        elif who == "query":
            parts = query_parts(self.reached(), sessions=unavailable("postgres", ""), kafka=unavailable("kafka", ""))
        elif who == "relay":
            parts = relay_parts(postgres=unavailable("postgres", ""), kafka=unavailable("kafka", ""))
        else:
            well = "postgres" not in self.unavailable
            running = {"command", "query", "all"} - {self.stopped} if well else None
            parts = parts_of(self.reached(), self.unavailable, self.outbox if well else None, running)
        return Readiness.of(parts)


def world(state: str) -> World:
    """The world that a row's first cell describes."""
    if found := re.fullmatch(r"(\w+) is unavailable", state):
        return World(unavailable={found[1]: "it does not answer"})
    if found := re.fullmatch(r"(\w+) do not run", state):
        return World(idle=WORKERS[found[1]])
    if found := re.fullmatch(r"(\w+) does not run", state):
        return World(stopped=found[1])
    return {
        "everything answers": World(),
        "redis has lost the counters": World(lost=(COUNTS,)),
        "relay does not run, and rows of the outbox wait": World(outbox=Outbox(9, 61.0)),
        "events are set aside": World(letters=3),
    }[state]


CASES = [(state, who, said) for state, *cells in STATES for who, said in zip(HEADER[1:], cells, strict=True) if said]


@pytest.mark.parametrize(("state", "who", "said"), CASES)
def test_each_role_says_what_the_page_says(state: str, who: str, said: str) -> None:
    told = world(state).told(who)
    assert told.state == said
    assert told.ready == (said != "down")
    assert all(bool(part.detail) == (part.state != "ready") for part in told.parts)


def test_every_engine_and_every_process_that_others_notice_has_a_state() -> None:
    states = {state.split()[0] for state, *_ in STATES}
    assert states >= set(LONG) - {"edge"}, "it is asked from outside"


@pytest.mark.parametrize("state", [state for state, *_ in STATES])
def test_status_never_says_better_than_a_process(state: str) -> None:
    found = world(state)
    order = ("ready", "degraded", "down")
    worst = max((found.told(who).state for who in ("command", "query")), key=order.index)
    assert order.index(found.told("status").state) >= order.index(worst)


def test_a_group_that_is_behind_or_that_nobody_works_on_says_so_and_what_to_do() -> None:
    assert reached_part(GroupProgress(SEARCH, LATE, workers=2)).detail == "search is 12 events and 61 s behind the log"
    alone = reached_part(GroupProgress(TRENDS, LATE, lost=True, workers=0))
    assert alone.state == "degraded"
    assert alone.detail.startswith("nobody works on it: run `minitwitter work streams`")
    assert "made again" not in alone.detail, "nobody makes it"
    assert reached_part(GroupProgress(TRENDS, workers=None)).state == "ready", "nobody can tell"


def test_a_group_that_stopped_for_its_dead_letters_says_so_and_names_them() -> None:
    told = reached_part(GroupProgress(TIMELINES, letters=Counts(MOST, MOST + 3), workers=0)).detail
    assert told.startswith(f"nobody works on it: it stopped, since {MOST} records could not be applied")
    assert "`minitwitter dead-letters list --group timelines`" in told
    assert "`minitwitter work projectors`" in told
    assert "/readyz" not in told, "the process has ended"
    assert told.count("dead-letters list") == 1
    few = reached_part(GroupProgress(TIMELINES, letters=Counts(MOST - 1, 40), workers=0)).detail
    assert few.startswith("nobody works on it: run")
    assert "stopped, since" not in reached_part(GroupProgress(TIMELINES, letters=Counts(MOST, MOST), workers=1)).detail


def test_where_no_process_has_a_role_status_says_what_starts_one() -> None:
    told = {part.name: part for part in parts_of([], {}, Outbox(9, 61.0), {"streams"})}
    assert {name for name, part in told.items() if part.state == "down"} == {"command", "query"}
    assert "`minitwitter serve command`" in told["command"].detail
    assert "`minitwitter serve query`" in told["query"].detail
    assert "`minitwitter work relay`" in told["outbox"].detail
    assert {part.state for part in parts_of([], {}, Outbox(0, 0.0), None)} == {"ready"}, "nobody can tell"


def test_a_worker_is_down_while_a_store_or_kafka_is_unavailable() -> None:
    well, unavailable = [Part.of("timelines"), Part.of("counts")], Part.of("counts", down="Redis does not answer")
    assert Readiness.of(worker_parts(well)).state == "ready"
    told = Readiness.of(worker_parts([well[0], unavailable]))
    assert [(part.name, part.state) for part in told.parts if part.name != "kafka"] == [
        ("timelines", "ready"),
        ("counts", "down"),
    ]
    assert Readiness.of(worker_parts(well, kafka="Kafka does not answer")).state == "down"


def test_read_models_of_another_log_stop_a_worker_and_not_all_reads() -> None:
    assert fitting_parts("", "") == []
    assert [part.state for part in fitting_parts("not this log", "")] == ["down"]
    assert [part.state for part in fitting_parts("", "a row is gone")] == ["degraded"]
    [part] = fitting_parts("not this log", "", reads=True)
    assert (part.state, part.detail) == ("degraded", "not this log")
