"""The tables of docs/explanation/capacity.md, from the sums of docs/capacity.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from .capacity import USERS, Kept, Load, Model, read

Row = Sequence[object]

_LOADS: Final[tuple[tuple[str, Callable[[Load], float]], ...]] = (
    ("tweets a second", lambda a: a.tweets),
    ("commands a second, all", lambda a: a.commands),
    ("followers that an activity is pushed to", lambda a: a.pushed),
    ("deliveries a second", lambda a: a.deliveries),
    ("feed pages a second", lambda a: a.feed_pages),
    ("other reads a second", lambda a: a.reads),
)
_KEPT: Final[tuple[tuple[str, int, Callable[[Kept], float]], ...]] = (
    ("Kafka", 3, lambda k: k.kafka),
    ("Cassandra", 3, lambda k: k.cassandra),
    ("PostgreSQL: commands", 2, lambda k: k.state),
    ("PostgreSQL: search", 2, lambda k: k.search),
    ("Redis, in memory", 2, lambda k: k.counters),
    ("object store", 1, lambda k: k.media),
)
DOUBTS: Final = (
    "feed_pages", "tweets", "followers", "likes", "feed_pages_served", "cassandra_reads", "cassandra_rows", "delivery",
    "tweet_records", "used",
)  # fmt: skip
"""Figures that are doubled to see what hangs on them."""


def number(value: float) -> str:
    """Two significant figures: no more are known."""
    if value == 0:
        return "0"
    digits = 1 - len(str(int(abs(value)))) + 1 if abs(value) >= 1 else 2
    rounded = round(value, digits)
    return f"{rounded:,.0f}" if abs(rounded) >= 10 else f"{rounded:g}"


def size(value: float) -> str:
    """Bytes, as people say them."""
    for unit, factor in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9)):
        if value >= factor:
            return f"{number(value / factor)} {unit}"
    return f"{number(value / 1e6)} MB"


def users(count: float) -> str:
    """A number of users."""
    return f"{number(count / 1e6)} million"


def _header(first: str) -> Row:
    return (first, *(users(count) for count in USERS))


def given(section: str) -> tuple[Row, list[Row]]:
    """What goes in, of one section."""
    lines = read()[section].values()
    return ("figure", "", "kind", "where from"), [(f"{g.value:,g}", g.unit, g.kind, g.origin) for g in lines]


def load(model: Model) -> tuple[Row, list[Row]]:
    """What is asked."""
    asked = [model.load(count) for count in USERS]
    rows: list[Row] = [(name, *(number(of(each)) for each in asked)) for name, of in _LOADS]
    rows.append(("of all that followers would get, pulled instead", *(f"{each.pulled:.0%}" for each in asked)))
    return _header("in the mean over a day"), rows


def kept(model: Model) -> tuple[Row, list[Row]]:
    """What is there after a year."""
    years = [model.kept(model.load(count)) for count in USERS]
    return (
        ("store", "copies", *(users(count) for count in USERS)),
        [(name, copies, *(size(copies * of(year)) for year in years)) for name, copies, of in _KEPT],
    )


def nodes(model: Model) -> tuple[Row, list[Row]]:
    """How many of each part, and why."""
    columns = [model.parts(model.load(count)) for count in USERS]
    rows: list[Row] = []
    for same in zip(*columns, strict=True):
        first = same[0]
        each = f"{first.vcpus} vCPU, {first.memory_gb} GB" if first.vcpus else ""
        rows.append((first.name, each, *(f"{part.nodes:,} ({part.why})" if part.nodes else "" for part in same)))
    return ("part", "each", *(users(count) for count in USERS)), rows


_BILLS: Final = ("processes of ours", "Kafka", "Cassandra", "PostgreSQL", "Redis", "object store")


def _bill(part: str) -> str:
    return next((title for title in _BILLS if part.startswith(title)), _BILLS[0])


def cost(model: Model) -> tuple[Row, list[Row]]:
    """Dollars a month, with a year of data."""
    columns = [model.parts(model.load(count)) for count in USERS]
    rows: list[Row] = []
    for title in _BILLS:
        sums = (sum(model.cost(part) for part in column if _bill(part.name) == title) for column in columns)
        rows.append((title, *(number(value) for value in sums)))
    whole = [model.cost_of_all(count) for count in USERS]
    rows.append(("**together**", *(f"**{number(value)}**" for value in whole)))
    rows.append(("a million users", *(number(value / count * 1e6) for value, count in zip(whole, USERS, strict=True))))
    return _header("dollars a month"), rows


def limits(model: Model) -> tuple[Row, list[Row]]:
    """What ends first."""
    return (
        ("what ends", "with", "what to do then"),
        [(limit.name, users(at), limit.then) for at, limit in model.in_order()],
    )


def first() -> Iterator[str]:
    """For each size what is past its end."""
    order = Model().in_order()
    for count in USERS:
        past = [limit.name for at, limit in order if at <= count]
        following = next((f"next {limit.name} ({users(at)})" for at, limit in order if at > count), "nothing more")
        yield f"- **{users(count)}**: {'; '.join(past) or 'nothing has ended'}. Then {following}."


def doubts(model: Model) -> tuple[Row, list[Row]]:
    """What hangs on a figure."""
    lines = {name: line for section in read().values() for name, line in section.items()}
    before = [model.cost_of_all(count) for count in USERS]
    rows: list[Row] = []
    for name in DOUBTS:
        changed = model.but(name, 0.5 if name == "used" else 2)
        after = (changed.cost_of_all(count) / whole - 1 for count, whole in zip(USERS, before, strict=True))
        what = f"{lines[name].value:,g} {lines[name].unit}, {'halved' if name == 'used' else 'doubled'}"
        rows.append((what, *(f"{change:+.0%}" for change in after)))
    return _header("cost, if"), rows


TABLES: Final[dict[str, Callable[[], tuple[Row, list[Row]]]]] = {
    "load": lambda: load(Model()),
    "kept": lambda: kept(Model()),
    "nodes": lambda: nodes(Model()),
    "cost": lambda: cost(Model()),
    "limits": lambda: limits(Model()),
    "doubts": lambda: doubts(Model()),
    **{f"given-{section}": partial(given, section) for section in read()},
}
"""The tables of the page by name: header and rows."""
