"""Users on SQLite: one row for each account, by its number and by its folded name.

Imported tweets may be applied before the registration of their account, so the start that they imply has its own table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import apsw

from events.accounts import Profile, Role
from events.ids import AccountId, Millis, account_number

from ..users import Card, User, UserRows, Users
from .binding import numbers
from .model import Model
from .views import Tables

USERS = Tables(
    model="users",
    version=4,
    tables={
        "users": """(
            number INTEGER PRIMARY KEY, id TEXT NOT NULL, username TEXT NOT NULL, display_name TEXT NOT NULL,
            bio TEXT NOT NULL, location TEXT NOT NULL, website TEXT NOT NULL, feed TEXT NOT NULL,
            created_at INTEGER NOT NULL, imported INTEGER NOT NULL, version INTEGER NOT NULL,
            avatar TEXT, header TEXT, role TEXT NOT NULL, folded TEXT NOT NULL UNIQUE)""",
        "beginnings": """(
            account INTEGER PRIMARY KEY,
            began INTEGER NOT NULL  -- just before the first imported tweet
            )""",
    },
)


class SqliteUserRows:
    """The UserRows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._insert = "INSERT INTO {users} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, NULL, NULL, 'user', ?)".format(
            **names
        )
        self._began = """
            INSERT INTO {beginnings} VALUES (?, ?)
            ON CONFLICT DO UPDATE SET began=excluded.began WHERE excluded.began<began""".format(**names)
        self._update = (
            "UPDATE {users} SET display_name=?, bio=?, location=?, website=?, feed=?, avatar=?, header=?,"
            " version=version+1 WHERE number=?"
        ).format(**names)
        self._role = "UPDATE {users} SET role=? WHERE number=?".format(**names)

    def registered(
        self, account: AccountId, username: str, display_name: str, created_at: Millis, imported: bool
    ) -> None:
        """Add an account."""
        new = Profile(display_name=display_name)
        self._execute(
            self._insert,
            (
                account_number(account),
                account,
                username,
                new.display_name,
                new.bio,
                new.location,
                new.website,
                new.feed,
                created_at,
                imported,
                username.lower(),
            ),
        )

    def began_by(self, account: AccountId, at: Millis) -> None:
        """Move the start of an imported account to this time, if it is earlier than the stored one."""
        self._execute(self._began, (account_number(account), at))

    def profile_changed(self, account: AccountId, profile: Profile) -> None:
        """Replace the profile and increase its version by one."""
        p = profile
        self._execute(
            self._update,
            (p.display_name, p.bio, p.location, p.website, p.feed, p.avatar, p.header, account_number(account)),
        )

    def role_changed(self, account: AccountId, role: Role) -> None:
        """Replace the role."""
        self._execute(self._role, (role, account_number(account)))


class SqliteUsers:
    """The Users port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        whole = (
            "id, username, display_name, bio, location, website, feed, MIN(created_at, IFNULL(began, created_at)),"
            " imported, version, avatar, header, role"
        )
        began = "LEFT JOIN {beginnings} ON account=number AND imported"
        self._named = f"SELECT {whole} FROM {{users}} {began} WHERE folded=?".format(**names)
        self._by_ids = f"SELECT {whole} FROM carray(?) CROSS JOIN {{users}} ON number=value {began}".format(**names)
        self._cards = (
            "SELECT id, username, display_name, avatar FROM carray(?) CROSS JOIN {users} ON number=value"
        ).format(**names)

    async def named(self, username: str) -> User | None:
        """Return the account with a user name, ignoring case."""
        if not username.isascii():
            return None  # some letters of other scripts have an ASCII letter as lower case
        row = self._execute(self._named, (username.lower(),)).fetchone()
        return None if row is None else _user(row)

    async def by_ids(self, accounts: Collection[AccountId]) -> dict[AccountId, User]:
        """Return the accounts. Unknown ids are left out."""
        if not accounts:
            return {}
        users = [_user(row) for row in self._execute(self._by_ids, (numbers(accounts),)).fetchall()]
        return {user.id: user for user in users}

    async def cards(self, accounts: Collection[AccountId]) -> dict[AccountId, Card]:
        """Return the short form of the accounts. Unknown ids are left out."""
        if not accounts:
            return {}
        rows: Any = self._execute(self._cards, (numbers(accounts),)).fetchall()
        return {row[0]: Card(*row) for row in rows}


def _user(row: Any) -> User:
    user: User = User._make(row)
    return user._replace(imported=bool(user.imported))


MODEL: Model[UserRows, Users] = Model(USERS, SqliteUserRows, SqliteUsers)
