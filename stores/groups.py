"""The names of the groups of processors. Every store keeps the positions of a group under its name.

| profile | group | what it keeps |
|---|---|---|
| embedded | `serving` | read models whose reads honour Consistency-Tokens |
| embedded | `analytics` | read models whose answers say `as_of` |
| distributed | `timelines` | read models on Cassandra that follow from the source topics |
| distributed | `streams` | read models on Cassandra that follow from derived topics as well |
| distributed | `home` | home timelines, which are no read model but a cache, on Cassandra |
| distributed | `counts` | counters, on Redis |
| distributed | `search` | searches, on PostgreSQL |
| distributed | `trends` | windows of trends, on PostgreSQL |
"""

from __future__ import annotations

SERVING, ANALYTICS = "serving", "analytics"
TIMELINES, STREAMS, HOME = "timelines", "streams", "home"
COUNTS = "counts"
SEARCH, TRENDS = "search", "trends"
