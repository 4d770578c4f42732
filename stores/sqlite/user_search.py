"""User search on SQLite: a row for each name of an account, and one for each trigram of each name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from events.ids import AccountId, account_number
from stores.text.trigrams import name_key, resemblance, trigrams

from ..pages import Page
from ..user_search import UserSearch, UserSearchRows
from .model import Model
from .trigrams import candidates
from .views import Tables

USER_SEARCH = Tables(
    model="user_search",
    version=1,
    tables={
        "user_search_names": """(
            account INTEGER,
            slot INTEGER,       -- 0 the user name, 1 the display name, from 2 on what begins at each of its words
            name TEXT NOT NULL, -- the key of it
            PRIMARY KEY (account, slot)) WITHOUT ROWID""",
        "user_search_trigrams": """(
            trigram TEXT, size INTEGER, account INTEGER, slot INTEGER,
            PRIMARY KEY (trigram, size, account, slot)) WITHOUT ROWID""",
    },
    indexes=("CREATE INDEX user_search_names_{generation}_by_name ON {user_search_names} (name, slot, account)",),
)
_LAST = "\U0010ffff"


def _compared(slot: int, name: str) -> str:
    """Return the part of a row's name that is compared: the whole, or its first word."""
    return name if slot < 2 else name.partition(" ")[0]


class SqliteUserSearchRows:
    """The UserSearchRows port. A change of the display name reads the old one to find the rows to remove."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany
        self._names = "SELECT slot, name FROM {user_search_names} WHERE account=? ORDER BY slot".format(**names)
        self._remove_names = "DELETE FROM {user_search_names} WHERE account=? AND slot>=1".format(**names)
        self._remove_trigram = (
            "DELETE FROM {user_search_trigrams} WHERE trigram=? AND size=? AND account=? AND slot=?".format(**names)
        )
        self._add_name = "INSERT INTO {user_search_names} VALUES (?, ?, ?)".format(**names)
        self._add_trigram = "INSERT INTO {user_search_trigrams} VALUES (?, ?, ?, ?)".format(**names)

    def named(self, account: AccountId, username: str) -> None:
        """Store the user name of an account."""
        self._add(account, 0, name_key(username))

    def displayed(self, account: AccountId, display_name: str) -> None:
        """Replace the display name of an account. A part that equals the user name gets no row of its own."""
        number = account_number(account)
        rows: list[Any] = self._execute(self._names, (number,)).fetchall()
        (_, username), *old = rows
        for slot, name in old:
            self._executemany(self._remove_trigram, _trigram_rows(number, slot, name))
        self._execute(self._remove_names, (number,))
        key = name_key(display_name)
        words = key.split(" ")
        endings = [" ".join(words[i:]) for i in range(len(words))] if len(words) > 1 else []
        for slot, name in enumerate([key, *endings], start=1):
            if name != username:
                self._add(account, slot, name)

    def _add(self, account: AccountId, slot: int, name: str) -> None:
        number = account_number(account)
        self._execute(self._add_name, (number, slot, name))
        self._executemany(self._add_trigram, _trigram_rows(number, slot, name))


def _trigram_rows(account: int, slot: int, name: str) -> list[tuple[str, int, int, int]]:
    found = trigrams(_compared(slot, name))
    return [(trigram, len(found), account, slot) for trigram in found]


class SqliteUserSearch:
    """The UserSearch port. A cursor is `p` and a row of the index by name, or `s`, similarity, slot and account."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._connection = connection
        self._execute = connection.execute
        # Each account is returned once: for the first of its names that match.
        self._by_prefix = """
            SELECT name, slot, account FROM {user_search_names} AS n
            WHERE name >= ?3 AND name < ?2 AND (name, slot, account) > (?3, ?4, ?5) AND NOT EXISTS (
                SELECT 1 FROM {user_search_names} AS m
                WHERE m.account = n.account AND m.name >= ?1 AND m.name < ?2 AND (m.name, m.slot) < (n.name, n.slot))
            ORDER BY name, slot, account LIMIT ?6""".format(**names)
        self._by_trigram = """
            SELECT size, account, slot FROM {user_search_trigrams} WHERE trigram=? AND size BETWEEN ? AND ?
            ORDER BY size, account, slot LIMIT ?""".format(**names)
        self._of = "SELECT slot, name FROM {user_search_names} WHERE account=?".format(**names)
        self._id = "SELECT id FROM {users} WHERE number=?".format(**names)

    async def find(self, name: str, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that match `name`, best first. A leading @ is ignored."""
        key = name_key(name.strip().lstrip("@＠"))
        if not key:
            return Page([], None)
        kind, _, position = (before or "p:").partition(":")
        found: list[tuple[int, str]] = []
        if kind == "p":
            found = self._with_prefix(key, position, limit + 1)
            position = ""
        if len(found) <= limit:
            found += self._similar(key, position)
        ids = [self._execute(self._id, (number,)).get for number, _ in found[:limit]]
        shown = [AccountId(str(id_)) for id_ in ids if id_ is not None]
        return Page(shown, found[limit - 1][1] if len(found) > limit else None)

    def _with_prefix(self, key: str, after: str, limit: int) -> list[tuple[int, str]]:
        slot, account, name = after.split(":", 2) if after else ("-1", "-1", key)
        rows: Any = self._execute(self._by_prefix, (key, key + _LAST, name, int(slot), int(account), limit))
        return [(account, f"p:{slot}:{account}:{name}") for name, slot, account in rows]

    def _similar(self, key: str, after: str) -> list[tuple[int, str]]:
        """Return the similar accounts that have no name with the prefix, after a cursor."""
        ranked = []
        for number in {row[0] for row in candidates(self._connection, self._by_trigram, trigrams(key))}:
            rows: Any = self._execute(self._of, (number,)).fetchall()
            distance, slot = min((-resemblance(key, _compared(slot, name)), slot) for slot, name in rows)
            if distance and not any(name.startswith(key) for _, name in rows):
                ranked.append((distance, slot, number))
        ranked.sort()
        if after:
            last = after.split(":")
            ranked = [row for row in ranked if row > (-float(last[0]), int(last[1]), int(last[2]))]
        return [(number, f"s:{-distance!r}:{slot}:{number}") for distance, slot, number in ranked]


MODEL: Model[UserSearchRows, UserSearch] = Model(USER_SEARCH, SqliteUserSearchRows, SqliteUserSearch)
