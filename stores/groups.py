"""The names of the groups of processors. Every store keeps the positions of a group under its name.

| profile | group | contents |
|---|---|---|
| embedded | `serving` | read models whose reads honour Consistency-Tokens |
| embedded | `analytics` | read models whose answers have `as_of` |
| distributed | `timelines` | read models on Cassandra that are built from source topics |
| distributed | `streams` | read models on Cassandra that are built from derived topics as well |
| distributed | `home` | home timelines on Cassandra: a cache, not a read model |
| distributed | `counts` | counters, on Redis |
| distributed | `search` | searches, on PostgreSQL |
| distributed | `trends` | windows of trends, on PostgreSQL |
"""

from __future__ import annotations

SERVING, ANALYTICS = "serving", "analytics"
TIMELINES, STREAMS, HOME = "timelines", "streams", "home"
COUNTS = "counts"
SEARCH, TRENDS = "search", "trends"
