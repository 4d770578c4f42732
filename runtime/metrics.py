"""All metrics of all processes, each declared once: its name, the roles that have it, and how to read it.

`registry(role)` is what /metrics of a role serves, in the Prometheus text format. A role has only metrics that it sets:
a metric that stays 0 would hide that nobody counts it.

Names follow the Prometheus conventions: base units, `_total` for counters. Every label has few values: a route is its
template, never the requested path; groups, topics and engines are those that the code names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from events.log import TopicPartition

from .lag import Behind

SERVE, COMMAND, QUERY = "serve", "serve command", "serve query"
RELAY, PROJECTORS, STREAMS = "work relay", "work projectors", "work streams"
ROLES: Final = (SERVE, COMMAND, QUERY, RELAY, PROJECTORS, STREAMS)
WORKERS: Final = (PROJECTORS, STREAMS)
TOGETHER: Final = (RELAY, PROJECTORS, STREAMS)
"""The roles of `minitwitter work all`."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each series, which nobody looks at

C = TypeVar("C", bound=Collector)
_FAST: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_SLOW: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Declared(NamedTuple):
    """A metric: its collector, the roles that have it, and how a person reads it."""

    collector: Collector
    roles: tuple[str, ...]
    look: str


DECLARED: list[Declared] = []


def _declare(collector: C, roles: tuple[str, ...], look: str) -> C:
    DECLARED.append(Declared(collector, roles, look))
    return collector


def registry(*roles: str) -> CollectorRegistry:
    """Return the metrics of a process with these roles, and those of the process and of Python."""
    made = CollectorRegistry()
    for one in _of_the_process():
        made.register(one)
    for declared in DECLARED:
        if not set(roles).isdisjoint(declared.roles):
            made.register(declared.collector)
    return made


def family_of(collector: Collector) -> Metric:
    """Return a metric's name, type and documentation, without samples."""
    described: Iterator[Metric] = iter(collector.describe())  # type: ignore[attr-defined]  # every one here has it
    return next(described)


def labels_of(collector: Collector) -> tuple[str, ...]:
    """Return the names of a metric's labels."""
    if isinstance(collector, _Asked):
        return tuple(getattr(family_of(collector), "_labelnames", ()))
    return tuple(getattr(collector, "_labelnames", ()))


@cache
def _of_the_process() -> tuple[Collector, ...]:
    return ProcessCollector(registry=None), PlatformCollector(registry=None), GCCollector(CollectorRegistry())


class _Asked(Collector):
    """A metric family whose samples are computed at each scrape; its description needs none."""

    def __init__(self, family: Callable[[], Metric], fill: Callable[[Any], None]) -> None:
        self._family = family
        self._fill = fill

    def describe(self) -> Iterator[Metric]:
        """Return the family without samples."""
        yield self._family()

    def collect(self) -> Iterator[Metric]:
        """Return the family with its current samples."""
        family = self._family()
        self._fill(family)
        yield family


# Requests

REQUESTS = _declare(
    Counter("minitwitter_http_requests", "Requests answered.", ["method", "route", "status"], registry=None),
    ROLES,
    "How many there are and how they end; `status` is the class, as in `5xx`.",
)
REQUEST_SECONDS = _declare(
    Histogram(
        "minitwitter_http_request_seconds",
        "Duration of requests, from the first byte to the last.",
        ["route"],
        buckets=_FAST,
        registry=None,
    ),
    ROLES,
    "The p99 of a route that grows: the engine that it asks, or the event loop, is busy.",
)
FAULTS = _declare(
    Counter("minitwitter_http_faults", "Requests that failed by a fault of the server.", registry=None),
    ROLES,
    "Anything above zero deserves a look at the log.",
)
RATE_LIMITED = _declare(
    Counter("minitwitter_rate_limited", "Requests refused by a rate limit.", ["policy"], registry=None),
    (SERVE, COMMAND, QUERY),
    "A limit that refuses many: one client that does not back off, or a limit that is too low.",
)
STALE = _declare(
    Counter("minitwitter_stale_answers", "Answers that say `Consistency: stale`.", ["why"], registry=None),
    (SERVE, QUERY),
    "`waited`: a read waited in vain for its token. `behind`: its read models are seconds behind the log.",
)
OPEN_STREAMS = _declare(
    Gauge("minitwitter_streams", "Open streaming connections.", registry=None),
    (SERVE, QUERY),
    "Near the setting `max_streams` new ones are refused.",
)


def _cache_lookups(family: Any) -> None:
    """Compute the lookups at each scrape. Counting each one would take as long as a cache hit."""
    for name, lookups in CACHES.items():
        asked, missed = lookups()
        family.add_metric([name, "hit"], asked - missed)
        family.add_metric([name, "miss"], missed)


CACHES: dict[str, Callable[[], tuple[int, int]]] = {}
"""By name of the cache, a function that returns its numbers of lookups and of misses."""
_declare(
    _Asked(
        lambda: CounterMetricFamily("minitwitter_cache_lookups", "Cache lookups.", labels=["cache", "result"]),
        _cache_lookups,
    ),
    (SERVE, COMMAND, QUERY),
    "A share of hits that falls: more different things are asked for than the cache holds.",
)

# Writing

WAITING_COMMANDS = _declare(
    Gauge("minitwitter_waiting_commands", "Commands taken in and not answered yet.", registry=None),
    (SERVE, COMMAND),
    "At the setting `max_waiting_commands` new ones are refused with 503.",
)
APPEND_SECONDS = _declare(
    Histogram(
        "minitwitter_append_seconds",
        "Duration of the commits of log.db.",
        buckets=(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1),
        registry=None,
    ),
    (SERVE,),
    "How long the disk takes to make a transaction durable; every write waits for one of these.",
)
COMMIT_COMMANDS = _declare(
    Histogram(
        "minitwitter_commit_commands",
        "Commands that share a commit of log.db, or a transaction of PostgreSQL.",
        buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
        registry=None,
    ),
    (SERVE, COMMAND),
    "Near 1 the disk is idle between writes; near the most (512, 64) it is what everyone waits for.",
)
OUTBOX_ROWS = _declare(
    Gauge("minitwitter_outbox_rows", "Rows of the outbox that wait to be published.", registry=None),
    (RELAY,),
    "Grows while Kafka is unavailable; at the setting `max_waiting_records` writes are refused with 503.",
)
OUTBOX_SECONDS = _declare(
    Gauge("minitwitter_outbox_oldest_seconds", "Age of the oldest row that waits to be published.", registry=None),
    (RELAY,),
    "More than a few seconds: Kafka is unavailable, or no relay leads.",
)
RELAY_LEADS = _declare(
    Gauge("minitwitter_relay_leads", "1 where this relay leads.", registry=None),
    (RELAY,),
    "The sum over all relays is 1; 0 for a while means that rows handed back stay where they are.",
)

# Projecting


def _lags(value: Callable[[Behind], float]) -> Callable[[Any], None]:
    """Sum `value` of each partition's lag."""

    def fill(family: Any) -> None:
        for group, lag in list(LAGS.items()):
            for place, behind in lag().items():
                family.add_metric([group, place.topic, str(place.partition)], value(behind))

    return fill


LAGS: dict[str, Callable[[], Mapping[TopicPartition, Behind]]] = {}
"""The lag of each group, by partition. A worker reports its own partitions, a query process all of them, as the stores
have them: so the lag of a group without workers is seen, too.
"""
_PLACES = ["group", "topic", "partition"]
_declare(
    _Asked(
        lambda: GaugeMetricFamily("minitwitter_projector_lag_events", "Events not applied yet.", labels=_PLACES),
        _lags(lambda behind: behind.events),
    ),
    (SERVE, QUERY, *WORKERS),
    "One partition that lags: one entity is slow, or its worker is. All of a group: its store is slow, or unavailable.",
)
_declare(
    _Asked(
        lambda: GaugeMetricFamily(
            "minitwitter_projector_lag_seconds", "Age of the oldest event not applied yet.", labels=_PLACES
        ),
        _lags(lambda behind: behind.seconds),
    ),
    (SERVE, QUERY, *WORKERS),
    "Above 5 reads of the group say that they are stale.",
)
FRESHNESS = _declare(
    Histogram(
        "minitwitter_freshness_seconds",
        "Time from an event's append (its 201) until a group has applied it.",
        ["group"],
        buckets=_SLOW,
        registry=None,
    ),
    (SERVE, *WORKERS),
    "The p99 is how long a reader without a token may miss a new tweet. Clocks of hosts that differ show here.",
)
APPLIED = _declare(
    Counter("minitwitter_projector_events", "Events taken in by a group.", ["group"], registry=None),
    (SERVE, *WORKERS),
    "A rate of 0 while requests are written: the group stands still.",
)
BATCH_EVENTS = _declare(
    Histogram(
        "minitwitter_batch_events",
        "Events in one batch.",
        ["group"],
        buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
        registry=None,
    ),
    WORKERS,
    "At the setting `worker_batch` the group is not keeping up.",
)
BATCH_SECONDS = _declare(
    Histogram(
        "minitwitter_batch_seconds",
        "Duration of a batch by stage.",
        ["group", "stage"],
        buckets=_SLOW,
        registry=None,
    ),
    WORKERS,
    "`decode`: reading keys and values. `newest`: reading newest ids. `handle`: processors. `commit`: the transaction.",
)
REBALANCES = _declare(
    Counter("minitwitter_rebalances", "Assignments of partitions to this worker.", ["group"], registry=None),
    WORKERS,
    "One for each start or end of a worker; more, all the time: workers miss their heartbeats.",
)
SINK_MOVED = _declare(
    Counter("minitwitter_sink_moved", "Stores that were not where a group left them.", ["group"], registry=None),
    WORKERS,
    "The store lost something, was restored, or two workers believed that a partition was theirs.",
)
DEAD_LETTERS = _declare(
    Gauge(
        "minitwitter_dead_letters",
        "Events that are set aside now, without those held back behind them.",
        ["group"],
        registry=None,
    ),
    (SERVE, *WORKERS),
    "Above zero: `minitwitter dead-letters list` names them; their entities are not current.",
)
SET_ASIDE = _declare(
    Counter("minitwitter_set_aside", "Events set aside since the start.", ["group"], registry=None),
    (SERVE, *WORKERS),
    "A rate above zero: a handler or somebody else's records are at fault.",
)
PROJECTING_RESTARTS = _declare(
    Counter("minitwitter_projecting_restarts", "Restarts of the projecting process.", registry=None),
    (SERVE,),
    "Above zero after anything but a deploy means that it failed.",
)
REBUILD_PROGRESS = _declare(
    Gauge("minitwitter_rebuild_progress", "Share of the log that a rebuild has applied.", ["model"], registry=None),
    (SERVE,),
    "Absent when none runs.",
)

# Engines and the disk

ENGINE_SECONDS = _declare(
    Histogram(
        "minitwitter_engine_seconds",
        "Duration of calls to an engine that were answered; of Kafka, from sending records to their acknowledgement.",
        ["engine"],
        buckets=_FAST,
        registry=None,
    ),
    (COMMAND, QUERY, RELAY, *WORKERS),
    "An engine whose p99 grows is what requests and batches wait for.",
)
ENGINE_ERRORS = _declare(
    Counter("minitwitter_engine_errors", "Calls that an engine did not answer.", ["engine"], registry=None),
    (COMMAND, QUERY, RELAY, *WORKERS),
    "The engine is unavailable, has no room, or too few replicas.",
)
BREAKER = _declare(
    Gauge("minitwitter_kafka_breaker_open", "1 while Kafka does not answer.", registry=None),
    (COMMAND, QUERY, RELAY, STREAMS),
    "Callers are turned away. Writes go on into the outbox, as long as there is room.",
)
WAL_BYTES = _declare(
    Gauge("minitwitter_wal_bytes", "Bytes in the write-ahead log.", ["database"], registry=None),
    (SERVE,),
    "What is not in the databases yet; grows while a long read (verify) keeps it.",
)
DISK_FREE = _declare(
    Gauge("minitwitter_disk_free_bytes", "Bytes free on the disk of the data directory.", registry=None),
    (SERVE,),
    "At 1 MiB writes are refused.",
)


def count_call(engine: str, seconds: float, answered: bool) -> None:
    """Count a call to an engine."""
    if answered:
        ENGINE_SECONDS.labels(engine).observe(seconds)
    else:
        ENGINE_ERRORS.labels(engine).inc()
