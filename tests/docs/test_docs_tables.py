"""The diagrams of the stores show what the engines have once the migrations were applied."""

from __future__ import annotations

import dataclasses
import re
import uuid
from pathlib import Path

import psycopg
import pytest

from command_api.postgres.migrating import migrate as migrate_command_side
from docs import tables
from stores.cassandra.address import Address
from stores.cassandra.migrating import migrate as migrate_cassandra
from stores.cassandra.session import CassandraSession
from stores.postgres.database import Database
from tests.stores.on_cassandra import drop

SHORT = {"timestamp with time zone": "timestamptz"}
LINE = re.compile(
    r"erDiagram|"
    r"    \w+ \{|"
    r'        [A-Za-z][\w()\[\],-]* \w+(?: PK)?(?: "[^"]*")?|'
    r"    \}|"
    r"    \w+ \|\|--o\{ \w+ : \w+"
)


def drawn(directory: Path) -> set[tuple[str, str, str, str]]:
    """Every column: table, name, type, role."""
    return {
        (table.name, column.name, column.type, column.role)
        for migration in tables.read(directory)
        for table in migration.tables
        for column in table.columns
    }


async def on_postgres(connection: psycopg.AsyncConnection[tuple[str, ...]], schema: str) -> set[tuple[str, ...]]:
    rows = await connection.execute(
        """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
            CASE WHEN a.attnum = ANY (k.conkey) THEN 'key' ELSE '' END
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'p'
        WHERE c.relkind = 'r' AND c.relnamespace = %s::regnamespace AND c.relname NOT LIKE '%%migrations'""",
        (schema,),
    )
    return {(t, name, SHORT.get(type_, type_), role) for t, name, type_, role in await rows.fetchall()}


@pytest.mark.engines
async def test_the_tables_of_the_command_side_are_those_of_the_diagram(postgres: str) -> None:
    schema = f"drawn_{uuid.uuid4().hex[:12]}"
    await migrate_command_side(postgres, schema=schema)
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        try:
            assert await on_postgres(connection, schema) == drawn(tables.COMMAND_SIDE)
        finally:
            await connection.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.mark.engines
async def test_the_tables_of_search_are_those_of_the_diagram(postgres: str) -> None:
    database = Database(postgres, f"drawn_{uuid.uuid4().hex[:12]}")
    await database.migrate()
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        assert await on_postgres(connection, database.schema) == drawn(tables.SEARCH)
    await database.drop()


@pytest.mark.engines
async def test_the_tables_of_cassandra_are_those_of_the_diagram(cassandra: str) -> None:
    address = dataclasses.replace(Address.parse(cassandra), keyspace=f"drawn_{uuid.uuid4().hex[:12]}")
    await migrate_cassandra(address)
    session = await CassandraSession.connect(address)
    query = "SELECT table_name, column_name, type, kind, clustering_order, position FROM system_schema.columns"
    rows = await session.read(query + " WHERE keyspace_name=?", (address.keyspace,))
    await session.close()
    drop(address)
    roles = {"partition_key": "partition", "regular": ""}
    assert {(t, name, type_, roles.get(kind, kind)) for t, name, type_, kind, _, _ in rows if "migrat" not in t} == (
        drawn(tables.CASSANDRA)
    )
    found: dict[str, list[tuple[int, str]]] = {}
    for t, name, _, kind, order, position in rows:
        if kind == "clustering":
            found.setdefault(t, []).append((position, f"{name} {order.upper()}"))
    orders = {t: ", ".join(text for _, text in sorted(columns)) for t, columns in found.items()}
    for migration in tables.read(tables.CASSANDRA):
        for table in migration.tables:
            if table.order:
                assert orders[table.name] == table.order
            else:
                assert "DESC" not in orders.get(table.name, "")


@pytest.mark.parametrize("directory", [tables.COMMAND_SIDE, tables.SEARCH, tables.CASSANDRA], ids=lambda p: p.parts[-3])
def test_a_diagram_is_in_the_grammar_of_mermaid(directory: Path) -> None:
    text = "\n".join(tables.diagrams(directory))
    blocks = re.findall(r"```mermaid\n(.*?)\n```", text, re.DOTALL)
    assert len(blocks) == sum(bool(migration.tables) for migration in tables.read(directory))
    for line in "\n".join(blocks).splitlines():
        assert LINE.fullmatch(line), line


def test_a_column_that_a_later_migration_adds_is_in_its_table(tmp_path: Path) -> None:
    (tmp_path / "001_one.cql").write_text("-- One.\nCREATE TABLE one (a int, b int, PRIMARY KEY ((a), b));\n")
    (tmp_path / "002_two.cql").write_text("-- More.\nALTER TABLE one ADD c set<text>;\n")
    [table] = tables.read(tmp_path)[0].tables
    assert [(column.name, column.type, column.role) for column in table.columns] == [
        ("a", "int", "partition"),
        ("b", "int", "clustering"),
        ("c", "set<text>", ""),
    ]


@pytest.mark.parametrize(
    "change", ["DROP TABLE one;", "ALTER TABLE one RENAME a TO b;", "CREATE TABLE IF NOT EXISTS two (a int);"]
)
def test_a_change_that_is_not_understood_is_refused_and_not_left_out(tmp_path: Path, change: str) -> None:
    (tmp_path / "001_one.sql").write_text(f"CREATE TABLE one (a int PRIMARY KEY);\n{change}\n")
    with pytest.raises(tables.NotRead):
        tables.read(tmp_path)


def test_every_key_of_redis_is_in_its_diagram_under_its_tag() -> None:
    rows = re.findall(r"^\| `(\{[^`]*)`", tables.REDIS.read_text(), re.MULTILINE)
    text = "\n".join(tables.redis_keys())
    assert text.count("time to live: ") == len(rows)
    assert text.count("subgraph ") == len({row.partition("}")[0] for row in rows})
