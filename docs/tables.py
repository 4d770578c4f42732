"""The tables of the stores as the migrations make them, drawn as Mermaid diagrams: for docs.generate.

Read from the files and not from an engine, so that anyone can write the page; a test holds what is read to what the
engines then have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
COMMAND_SIDE: Final = ROOT / "command_api" / "postgres" / "migrations"
SEARCH: Final = ROOT / "stores" / "postgres" / "migrations"
CASSANDRA: Final = ROOT / "stores" / "cassandra" / "migrations"
REDIS: Final = ROOT / "docs" / "reference" / "redis-keys.md"


class NotRead(ValueError):
    """A migration says something that is not understood here."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `role` is what it is in its table: partition, clustering, static, key or nothing."""

    name: str
    type: str
    role: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table, and where rows lie within a partition."""

    name: str
    columns: tuple[Column, ...]
    order: str = ""

    def key(self) -> tuple[str, ...]:
        """The columns of its primary key."""
        return tuple(column.name for column in self.columns if column.role in ("partition", "clustering", "key"))


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: what it says first, its tables, its indexes as (name, table, columns)."""

    name: str
    about: str
    tables: tuple[Table, ...]
    indexes: tuple[tuple[str, str, str], ...] = field(default=())


_CREATE = re.compile(r"^CREATE TABLE (\w+) \(", re.MULTILINE)
_INDEX = re.compile(r"^CREATE (?:UNIQUE )?INDEX (\w+) ON (\w+) ([^;]*);", re.MULTILINE)
_ADD = re.compile(r"^ALTER TABLE (\w+) ADD (?:COLUMN )?(\w+) ([^;]+);", re.MULTILINE)
_CHANGES = re.compile(r"^(?:ALTER|DROP) (?!FUNCTION\b).*", re.MULTILINE)
_ORDER = re.compile(r"CLUSTERING ORDER BY \(([^)]*)\)")
_PART = re.compile(r"--[^\n]*|[(),<>]|[^(),<>-]+|-")
_KEY = re.compile(r"PRIMARY KEY \((.*)\)$")
_ITEM = re.compile(r"(\w+) ((?:\w+<.*?>+|\w+(?:\[\])?))(?=\s|$)(.*)")


def read(directory: Path) -> list[Migration]:
    """The migrations of a directory in order; a column that a later one adds stands in its table. Raises NotRead."""
    found = [_read(path) for path in sorted((*directory.glob("*.sql"), *directory.glob("*.cql")))]
    for path in sorted((*directory.glob("*.sql"), *directory.glob("*.cql"))):
        text = path.read_text()
        added = _ADD.findall(text)
        if len(added) != len(_CHANGES.findall(text)):
            raise NotRead(f"{path.name}: of changes to a table only `ALTER TABLE ... ADD column type;` is understood")
        for table, name, type_ in added:
            column = _column(path.name, f"{name} {type_}", "")
            found = [_with_column(migration, table, column) for migration in found]
    return found


def _with_column(migration: Migration, name: str, column: Column) -> Migration:
    tables = (
        replace(table, columns=(*table.columns, column)) if table.name == name else table for table in migration.tables
    )
    return replace(migration, tables=tuple(tables))


def _read(path: Path) -> Migration:
    text = path.read_text()
    about = re.match(r"(?:--[^\n]*\n)*", text)
    comment = " ".join(line.removeprefix("--").strip() for line in (about[0] if about else "").splitlines())
    tables = tuple(_table(path.name, text, match) for match in _CREATE.finditer(text))
    if len(tables) != len(re.findall(r"^CREATE TABLE", text, re.MULTILINE)):
        raise NotRead(f"{path.name}: a table begins in a way that is not understood")
    return Migration(path.stem, comment, tables, tuple((n, t, " ".join(c.split())) for n, t, c in _INDEX.findall(text)))


def _table(file: str, text: str, match: re.Match[str]) -> Table:
    items: list[tuple[str, str]] = []
    depth, item = 1, ""
    position = match.end()
    while depth:
        part = _PART.match(text, position)
        if part is None:
            raise NotRead(f"{file}: {match[1]} has no end")
        position, token = part.end(), part[0]
        if token.startswith("--"):
            comment = token.removeprefix("--").strip()
            if item.strip():
                item += f"\0{comment}\0"
            elif items:
                items[-1] = (items[-1][0], comment)
            continue
        depth += token in ("(", "<")
        depth -= token in (")", ">")
        if (token == "," and depth == 1) or depth == 0:  # noqa: S105
            comments = "".join(re.findall("\0([^\0]*)\0", item))
            items.append((" ".join(re.sub("\0[^\0]*\0", "", item).split()), comments))
            item = ""
        else:
            item += token
    order = _ORDER.search(text[position : text.index(";", position)])
    return Table(match[1], _columns(file, items), order[1] if order else "")


def _columns(file: str, items: Sequence[tuple[str, str]]) -> tuple[Column, ...]:
    key = next((found[1] for text, _ in items if (found := _KEY.match(text))), "")
    columns = [_column(file, text, comment) for text, comment in items if not _KEY.match(text)]
    is_cassandra = file.endswith(".cql")
    partition, clustering = _key(key) if is_cassandra else (set(), set())
    if not is_cassandra and key:
        columns = [replace(c, role="key") if c.name in _names(key) else c for c in columns]
    if is_cassandra:
        columns = [
            replace(c, role="partition")
            if c.name in partition or c.role == "key"
            else replace(c, role="clustering")
            if c.name in clustering
            else c
            for c in columns
        ]
    return tuple(columns)


def _key(key: str) -> tuple[set[str], set[str]]:
    """Of Cassandra's `(a, b), c, d` the partition's columns and the others."""
    match = re.match(r"\(([^)]*)\)(.*)", key)
    if match is None:
        first, *others = _names(key) or [""]
        return {first}, set(others)
    return set(_names(match[1])), set(_names(match[2]))


def _names(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def _column(file: str, text: str, comment: str) -> Column:
    match = _ITEM.match(text)
    if match is None:
        raise NotRead(f"{file}: no column: {text}")
    name, type_, rest = match.groups()
    role = "key" if "PRIMARY KEY" in rest else "static" if rest.strip() == "static" else ""
    return Column(name, type_, role, comment)


# Drawing


def diagrams(directory: Path, depth: int = 3) -> Iterator[str]:
    """Of each migration that makes tables what it says, a diagram, and its indexes."""
    for migration in read(directory):
        if not migration.tables:
            continue
        yield f"{'#' * depth} {migration.name[:3]} {migration.name[4:].replace('_', ' ')}"
        yield ""
        yield migration.about
        yield ""
        yield "```mermaid"
        yield "erDiagram"
        for table in migration.tables:
            yield from _entity(table)
        yield from _relations(migration.tables)
        yield "```"
        yield ""
        orders = [(table.name, table.order) for table in migration.tables if table.order]
        for name, order in orders:
            yield f"- `{name}` in a partition: by {order}"
        for index, table_name, columns in migration.indexes:
            yield f"- index `{index}` on `{table_name} {columns}`"
        if orders or migration.indexes:
            yield ""


_KEYS: Final = {"partition": " PK", "clustering": " PK", "key": " PK"}


def _entity(table: Table) -> Iterator[str]:
    yield f"    {table.name} {{"
    for column in table.columns:
        type_ = column.type.replace("<", "(").replace(">", ")")
        told = [column.role if column.role != "key" else "", column.about.replace('"', "'")]
        comment = "; ".join(part for part in told if part)
        yield f"        {type_} {column.name}{_KEYS.get(column.role, '')}" + (f' "{comment}"' if comment else "")
    yield "    }"


def _relations(tables: Sequence[Table]) -> Iterator[str]:
    """A line from a table to those that have its whole key, one column, as a column of theirs."""
    for table in tables:
        if len(table.key()) != 1:
            continue
        [key] = (column for column in table.columns if column.name == table.key()[0])
        for other in tables:
            names = {(column.name, column.type) for column in other.columns}
            # A letter is an account's number here and there, not the key of something.
            if other.key() != table.key() and len(key.name) > 1 and (key.name, key.type) in names:
                yield f"    {table.name} ||--o{{ {other.name} : {key.name}"


def redis_keys(path: Path = REDIS) -> Iterator[str]:
    """The keys of Redis by hash tag, from the table of them: what has one tag is in one slot."""
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split(" | ")]
        for line in path.read_text().splitlines()
        if line.startswith("| `{")
    ]
    tags: dict[str, list[list[str]]] = {}
    for row in rows:
        tags.setdefault(row[0].partition("}")[0] + "}", []).append(row)
    yield "```mermaid"
    yield "flowchart LR"
    number = 0
    for place, (tag, members) in enumerate(tags.items()):
        yield f'    subgraph tag{place}["{_escaped(tag)}"]'
        for row in members:
            key = row[0].removeprefix(tag).removeprefix(":") or "itself"
            yield f'        key{number}["{_escaped(key)}<br>{row[1].strip()}, time to live: {row[5].strip()}"]'
            number += 1
        yield "    end"
    yield "```"


def _escaped(text: str) -> str:
    return text.replace("<", "#lt;").replace(">", "#gt;")
