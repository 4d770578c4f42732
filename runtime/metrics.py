"""Every metric of a serving process, each declared once. `/metrics` serves `REGISTRY` in the Prometheus text format.

Names follow the Prometheus conventions: base units, `_total` for counters. Labels have few values by design; a route
is its template, never the path asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

REGISTRY = CollectorRegistry()

ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

# How many requests there are, and how they end: rate and errors come of it. `status` is the class, as in 2xx.
REQUESTS = Counter("minitwitter_http_requests", "Requests answered.", ["method", "route", "status"], registry=REGISTRY)

# How long requests take, from the first byte read by the application to the last one handed back.
REQUEST_SECONDS = Histogram(
    "minitwitter_http_request_seconds",
    "Duration of requests.",
    ["route"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
    registry=REGISTRY,
)

# Faults of ours: anything above zero deserves a look at the log.
FAULTS = Counter("minitwitter_http_faults", "Requests that failed by a fault of the server.", registry=REGISTRY)

# How long the disk takes to make a transaction of the log durable; every write waits for one of these.
APPEND_SECONDS = Histogram(
    "minitwitter_append_seconds",
    "Duration of the commits of log.db.",
    buckets=(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1),
    registry=REGISTRY,
)

# How many commands share a commit: near 1 the disk is idle between writes, near 512 it is what everyone waits for.
COMMIT_COMMANDS = Histogram(
    "minitwitter_commit_commands",
    "Commands in one commit of log.db.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
    registry=REGISTRY,
)

# Commands taken in and not answered yet; at the setting `max_waiting_commands` new ones are refused with 503.
WAITING_COMMANDS = Gauge("minitwitter_waiting_commands", "Commands not answered yet.", registry=REGISTRY)

# How far the read models are behind the log, in events...
LAG_EVENTS = Gauge("minitwitter_projector_lag_events", "Events not yet applied.", ["group"], registry=REGISTRY)

# ... and in seconds since the oldest append that they have not applied; 0 when they are current.
LAG_SECONDS = Gauge(
    "minitwitter_projector_lag_seconds", "Age of the oldest event not applied.", ["group"], registry=REGISTRY
)

# How many events the read models have applied since the start; copies are not counted.
APPLIED = Counter("minitwitter_projector_events", "Events applied.", ["group"], registry=REGISTRY)

# Restarts of the projecting process: above zero after anything but a deploy means that it failed.
PROJECTING_RESTARTS = Counter(
    "minitwitter_projecting_restarts", "Restarts of the projecting process.", registry=REGISTRY
)

# How much of a rebuild is done, 0 to 1; absent when none runs.
REBUILD_PROGRESS = Gauge(
    "minitwitter_rebuild_progress", "Share of the log that a rebuild has applied.", ["model"], registry=REGISTRY
)

# Lookups in caches, by the cache's name: how many there were, and how many of them were misses. Asked for when scraped,
# because counting here as well would cost a lookup as much as a hit does.
CACHES: dict[str, Callable[[], tuple[int, int]]] = {}


class _CacheLookups(Collector):
    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily("minitwitter_cache_lookups", "Cache lookups.", labels=["cache", "result"])
        for name, lookups in CACHES.items():
            asked, missed = lookups()
            family.add_metric([name, "hit"], asked - missed)
            family.add_metric([name, "miss"], missed)
        yield family


REGISTRY.register(_CacheLookups())

# Answers that say `Consistency: stale`, because the read waited in vain for its token or because the read models are
# known to be behind: readers see old data.
STALE = Counter("minitwitter_stale_answers", "Answers that say that they are stale.", ["why"], registry=REGISTRY)

# Requests refused by a rate limit, by its name.
RATE_LIMITED = Counter("minitwitter_rate_limited", "Requests refused by a rate limit.", ["policy"], registry=REGISTRY)

# Open SSE and WebSocket connections.
STREAMS = Gauge("minitwitter_streams", "Open streaming connections.", ["kind"], registry=REGISTRY)

# What the write-ahead logs hold that is not in the databases yet; grows while a long read (verify) keeps it.
WAL_BYTES = Gauge("minitwitter_wal_bytes", "Bytes in the write-ahead log.", ["database"], registry=REGISTRY)
