"""Capacity on paper: what a number of users asks of each part, how many of each that takes, cost, and what ends first.

Every figure that goes in stands in capacity.toml with its origin. Rates are a second, sizes bytes, unless said.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final, NamedTuple

DAY: Final = 86_400
YEAR: Final = 365 * DAY
USERS: Final = (1_000_000, 10_000_000, 300_000_000)
FILE: Final = Path(__file__).parent / "capacity.toml"


class Given(NamedTuple):
    """A figure that goes in. `kind` is measured, setting, published or assumed."""

    value: float
    unit: str
    kind: str
    origin: str


def read() -> dict[str, dict[str, Given]]:
    """What goes in, by section."""
    return {
        section: {name: Given(*line) for name, line in lines.items()}
        for section, lines in tomllib.loads(FILE.read_text()).items()
    }


@dataclass(frozen=True, slots=True)
class Load:
    """What a community asks, a second in the mean over a day."""

    users: int
    tweets: float
    others: float
    """Retweets, likes, follows and other commands."""
    pushed: float
    """Followers that an activity is delivered to."""
    pulled: float
    """Those of pulled authors, to whom it is not: the share of all."""
    deliveries: float
    feed_pages: float
    reads: float

    @property
    def commands(self) -> float:
        """Commands, and so events of source topics."""
        return self.tweets + self.others


@dataclass(frozen=True, slots=True)
class Kept:
    """What each store has after a year: one copy, in bytes."""

    kafka: float
    cassandra: float
    state: float
    search: float
    counters: float
    media: float


@dataclass(frozen=True, slots=True)
class Part:
    """One part: how many, why so many, what each has, and the disk of all together."""

    name: str
    nodes: int
    why: str
    vcpus: int
    memory_gb: int
    disk_tb: float = 0.0
    object_tb: float = 0.0


class Limit(NamedTuple):
    """What more nodes do not mend: how full it is, where 1 is full, and what to do then."""

    name: str
    full: Callable[[Load], float]
    then: str


def _by_work(needed: float, least: int, why: str, *others: tuple[str, float]) -> tuple[int, str]:
    """The most that anything asks for, and what that is."""
    reason, most = max((why, least), ("work", needed), *others, key=lambda each: ceil(each[1]))
    return ceil(most), reason


class Model:
    """The sums, over figures by name."""

    def __init__(self, given: Mapping[str, float] | None = None) -> None:
        self.g = given or {name: line.value for lines in read().values() for name, line in lines.items()}

    def but(self, name: str, factor: float) -> Model:
        """The same with one figure times a factor."""
        return Model({**self.g, name: self.g[name] * factor})

    # What is asked

    def load(self, users: int) -> Load:
        """What so many users ask."""
        g = self.g
        tweets, retweets = users * g["tweets"] / DAY, users * g["retweets"] / DAY
        pushed, whole = self.fan_out(users)
        pages = users * g["daily"] * g["feed_pages"] / DAY
        return Load(
            users=users,
            tweets=tweets,
            others=retweets + users * (g["likes"] + g["follows"] + g["others"]) / DAY,
            pushed=pushed,
            pulled=1 - pushed / whole,
            deliveries=(tweets + retweets) * pushed,
            feed_pages=pages,
            reads=pages * g["other_reads"],
        )

    def fan_out(self, users: int) -> tuple[float, float]:
        """Followers that an activity goes to: of authors below the threshold, and of all, over all activities.

        Followers are a power law's, from some least number to all users, so that their mean is right; authors post
        with a small power of their followers.
        """
        g = self.g
        mean = g["followers"]
        least = _crossing(lambda x: self._moment(x, users, 1) > mean * self._moment(x, users, 0), 0.01, users)
        posts = self._moment(least, users, g["eagerness"])
        below = self._moment(least, min(users, g["threshold"]), 1 + g["eagerness"])
        return below / posts, self._moment(least, users, 1 + g["eagerness"]) / posts

    def _moment(self, least: float, most: float, power: float) -> float:
        """The integral of x**power over the tail's density, but for a factor."""
        exponent = power - self.g["tail"]
        return float((most**exponent - least**exponent) / exponent)

    # What is kept

    def kept(self, asked: Load) -> Kept:
        """What is there after a year."""
        g = self.g
        tweets, others = asked.tweets * YEAR, asked.others * YEAR
        delivered = asked.deliveries * g["delivery_days"] * DAY * g["delivery"]
        return Kept(
            kafka=tweets * g["tweet_records"] + others * g["event_records"],
            cassandra=tweets * g["tweet_rows"] + others * g["event_bytes"] + delivered,
            state=tweets * g["tweet_state"] + others * g["event_state"],
            search=tweets * g["tweet_words"],
            counters=tweets * g["counted"] * g["counter"],
            media=tweets * g["media"] * g["file_bytes"],
        )

    # What is needed

    def parts(self, asked: Load) -> list[Part]:
        """How many of each part for the peak, with a year of data."""
        g, year = self.g, self.kept(asked)
        peak = g["peak"] / g["used"]
        processes = {
            "command": asked.commands / g["commands"],
            "relay": 0.0,
            "projectors: timelines": asked.commands / g["timelines"],
            "projectors: home timelines": asked.deliveries / g["deliveries"],
            "projectors: counters": asked.commands / g["counters"],
            "projectors: search": asked.tweets / g["search"],
            "streams": asked.commands / g["streams"],
            "query": asked.feed_pages / g["feed_pages_served"] + asked.reads / g["others_served"],
        }
        deciding = max(asked.commands / 16 / g["postgres_core"], asked.commands / g["postgres_primary"]) * peak
        # Written by the producer, twice copied, read by four groups of consumers.
        through = 7 * year.kafka / YEAR / g["kafka_bytes"] * peak
        brokers = _by_work(through, 3, "three copies", ("disk", 3 * year.kafka / g["broker_bytes"]))
        nodes = _by_work(
            self.cassandra_cores(asked) * peak / 8,
            3,
            "three copies",
            ("disk", 3 * year.cassandra / g["node_bytes"]),
        )
        memory = 2 * year.counters / g["memory_bytes"]
        return [
            *(Part(name, *_by_work(busy * peak, 2, "one may be down"), 1, 1) for name, busy in processes.items()),
            Part("Kafka", *brokers, 4, 16, disk_tb=3 * year.kafka / 1e12),
            Part("Cassandra", *nodes, 8, 32, disk_tb=2 * 3 * year.cassandra / 1e12),
            self._primaries("PostgreSQL: commands", deciding, year.state),
            self._primaries("PostgreSQL: search", asked.tweets * peak / g["search"], year.search),
            Part("Redis", *_by_work(0, 2, "one may be down", ("memory", memory)), 2, 64),
            Part("object store", 0, "bought by the byte", 0, 0, object_tb=year.media / 1e12),
        ]

    def cassandra_cores(self, asked: Load) -> float:
        """Cores that are busy in the mean: three copies of each row, two asked for each read."""
        g = self.g
        writes = asked.commands * g["event_rows"] / g["cassandra_rows"] + asked.deliveries / g["cassandra_batched"]
        reads = asked.feed_pages * g["page_reads"] + asked.reads * g["other_page_reads"]
        return 3 * writes + 2 * reads / g["cassandra_reads"]

    def _primaries(self, name: str, work: float, bytes_: float) -> Part:
        """Servers, with a standby each."""
        nodes, why = _by_work(work, 1, "one does", ("disk", bytes_ / self.g["server_bytes"]))
        return Part(name, 2 * nodes, f"{why}; and a standby each", 16, 64, disk_tb=2 * bytes_ / 1e12)

    def cost(self, part: Part) -> float:
        """Dollars a month."""
        g = self.g
        each = part.vcpus * g["vcpu"] + part.memory_gb * g["memory_gb"]
        return part.nodes * each + part.disk_tb * g["disk_tb"] + part.object_tb * g["object_tb"]

    def cost_of_all(self, users: int) -> float:
        """Dollars a month, with a year of data."""
        return sum(self.cost(part) for part in self.parts(self.load(users)))

    # What ends first

    def limits(self) -> Iterator[Limit]:
        """Whatever adding nodes alone does not mend."""
        g = self.g

        def workers(busy: Callable[[Load], float]) -> Callable[[Load], float]:
            return lambda asked: busy(asked) * g["peak"] / g["used"] / g["partitions"]

        yield Limit(
            "projectors, timelines: a worker a partition",
            workers(lambda a: a.commands / g["timelines"]),
            f"fewer rows an event, larger batches; then {_MORE_PARTITIONS}",
        )
        yield Limit(
            "projectors, home timelines: a worker a partition",
            workers(lambda a: a.deliveries / g["deliveries"]),
            f"a lower threshold, which pulls more; then {_MORE_PARTITIONS}",
        )
        yield Limit(
            "projectors, counters: a worker a partition",
            workers(lambda a: a.commands / g["counters"]),
            _MORE_PARTITIONS,
        )
        yield Limit("streams: a worker a partition", workers(lambda a: a.commands / g["streams"]), _MORE_PARTITIONS)
        yield Limit(
            "Cassandra: the size of a partition of home timelines",
            lambda a: a.deliveries * g["bucket_s"] * g["delivery"] / g["shards"] / g["partition_bytes"],
            "more shards or shorter buckets, in a new generation; feeds are pulled until it is filled",
        )
        yield Limit(
            "PostgreSQL, commands: the work of one primary",
            lambda a: a.commands * g["peak"] / g["used"] / g["postgres_primary"],
            "Citus, sharded by the actor; names and addresses, which are unique over all, in tables of their own",
        )
        yield Limit(
            "PostgreSQL, commands: the disk of one server, in a year",
            lambda a: self.kept(a).state / g["server_bytes"],
            "the same",
        )
        yield Limit(
            "PostgreSQL, search: the disk of one server, in a year",
            lambda a: self.kept(a).search / g["server_bytes"],
            "a server for each stretch of time, the newest asked first; or an engine for search behind the same port",
        )
        yield Limit(
            "Redis: the memory of one server, in a year",
            lambda a: self.kept(a).counters / g["memory_bytes"],
            "Redis Cluster, a server for each hash tag at most",
        )
        yield Limit(
            "Redis: the memory of a cluster, in a year",
            lambda a: self.kept(a).counters / g["memory_bytes"] / g["slots"],
            "counters of old tweets in Cassandra, and only those of the newest in memory",
        )

    def ends_at(self, limit: Limit) -> float:
        """With how many users it is full."""
        return _crossing(lambda users: limit.full(self.load(int(users))) > 1, 1e3, 1e11)

    def in_order(self) -> list[tuple[float, Limit]]:
        """The limits with their numbers of users, the first to be met first."""
        return sorted(((self.ends_at(limit), limit) for limit in self.limits()), key=lambda each: each[0])


_MORE_PARTITIONS: Final = "more partitions, which are chosen before the first event; else the log moves into a new one"


def _crossing(over: Callable[[float], bool], low: float, high: float) -> float:
    """The smallest number, to one in a million, from which on `over` holds; `high` if it never does."""
    while high / low > 1.000_001:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if over(middle) else (middle, high)
    return high
