"""A database with one read model and the sinks of its groups, for the contract of the Sink port."""

import asyncio
import uuid

import psycopg
from psycopg.conninfo import make_conninfo

from stores.postgres.database import Database
from stores.postgres.sink import PostgresSink

_FULL = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON newest FOR EACH ROW EXECUTE FUNCTION refuse()"""


class Notes:
    """A read model of texts."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def write(self, text: str) -> None:
        self._texts.append(text)

    async def send(self, connection: psycopg.AsyncConnection) -> None:
        await connection.execute("INSERT INTO notes SELECT unnest(%s::text[])", (self._texts,))

    def clear(self) -> None:
        self._texts.clear()


class PostgresSinks:
    """A database with one read model, and sinks of its groups."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._name = f"sink_{uuid.uuid4().hex}"
        self._admin(f"CREATE DATABASE {self._name}")
        self.database = Database(make_conninfo(server, dbname=self._name))
        asyncio.run(self.database.migrate())
        self._ask("CREATE TABLE notes (text text PRIMARY KEY)")
        self._opened: list[PostgresSink] = []
        self.sink = self.group("serving")

    def close(self) -> None:
        self._die()
        self._admin(f"DROP DATABASE {self._name} WITH (FORCE)")

    def restart(self) -> None:
        """Restart as after a kill: the connection ends without a rollback or commit."""
        self._die()
        self.sink = self.group("serving")

    def group(self, name: str) -> PostgresSink:
        self._notes = Notes()
        sink = PostgresSink(self.database, name, [self._notes])
        self._opened.append(sink)
        return sink

    def write(self, text: str) -> None:
        self._notes.write(text)

    def notes(self) -> list[str]:
        """Return the committed notes."""
        return [text for (text,) in self._ask("SELECT text FROM notes ORDER BY text")]

    def lose(self) -> None:
        """Delete all data."""
        self._ask("TRUNCATE positions, newest, notes")

    def fill(self) -> None:
        """Make the server raise the error of a full disk."""
        self._ask(_FULL)

    def make_room(self) -> None:
        self._ask("DROP TRIGGER full_disk ON newest")

    def lock(self, on: bool) -> None:
        """Make the server read-only, as one that has become a standby. New connections see it."""
        self._admin(f"ALTER DATABASE {self._name} SET default_transaction_read_only = {on}")
        self._admin(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{self._name}'")

    def _die(self) -> None:
        for sink in self._opened:
            if sink._connection is not None:
                sink._connection.pgconn.finish()
        self._opened.clear()

    def _ask(self, sql: str) -> list[tuple[str]]:
        with psycopg.connect(self.database.url, options="-c search_path=search", autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def _admin(self, sql: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(sql)
