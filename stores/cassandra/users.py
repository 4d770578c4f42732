"""Users on Cassandra: one row for each account, and one for each name. A registration takes two writes, a change one.

An imported account began at the earliest time of its registration and its imported tweets. Cassandra keeps the value
with the highest timestamp. The timestamp of `began` is therefore LATEST minus its value: so the earliest value wins, in
any order of writes, without a read before the write.
"""

from __future__ import annotations

from collections.abc import Collection

from events.accounts import Profile, Role
from events.ids import LATEST, AccountId, Millis, from_bytes, to_bytes

from ..users import Card, User, UserRows, Users
from .address import checked
from .model import Model
from .session import CassandraSession, Row
from .sink import CassandraSink


class CassandraUserRows:
    """The UserRows port."""

    def __init__(self, sink: CassandraSink, keyspace: str) -> None:
        self._sink = sink
        name = checked(keyspace)
        self._insert = (
            f"INSERT INTO {name}.users (account, username, display_name, bio, location, website, feed, created_at,"
            " imported) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
        )
        self._name = f"INSERT INTO {name}.users_by_name (folded, account) VALUES (?, ?) USING TIMESTAMP ?"
        self._began = f"UPDATE {name}.users USING TIMESTAMP ? SET began=? WHERE account=?"
        self._update = (
            f"UPDATE {name}.users USING TIMESTAMP ? SET display_name=?, bio=?, location=?, website=?, feed=?, avatar=?,"
            " header=?, changes=changes+? WHERE account=?"
        )
        self._role = f"UPDATE {name}.users USING TIMESTAMP ? SET role=? WHERE account=?"

    def registered(
        self, account: AccountId, username: str, display_name: str, created_at: Millis, imported: bool
    ) -> None:
        """Add an account."""
        p, key, stamp = Profile(display_name=display_name), to_bytes(account), self._sink.stamp
        fields = (p.display_name, p.bio, p.location, p.website, p.feed)
        self._sink.write(self._insert, key, username, *fields, created_at, imported, stamp)
        self._sink.write(self._name, username.lower(), key, stamp)

    def began_by(self, account: AccountId, at: Millis) -> None:
        """Move the start of an imported account to this time, if it is earlier than the stored one."""
        self._sink.write(self._began, LATEST - at, at, to_bytes(account))

    def profile_changed(self, account: AccountId, profile: Profile) -> None:
        """Replace the profile and increase its version by one."""
        p, stamp = profile, self._sink.stamp
        fields = (p.display_name, p.bio, p.location, p.website, p.feed, p.avatar, p.header)
        self._sink.write(self._update, stamp, *fields, {stamp}, to_bytes(account))

    def role_changed(self, account: AccountId, role: Role) -> None:
        """Replace the role."""
        self._sink.write(self._role, self._sink.stamp, role, to_bytes(account))


class CassandraUsers:
    """The Users port."""

    def __init__(self, session: CassandraSession, keyspace: str) -> None:
        self._session = session
        name = checked(keyspace)
        self._named = f"SELECT account FROM {name}.users_by_name WHERE folded=?"
        self._by_ids = (
            "SELECT account, username, display_name, bio, location, website, feed, created_at, began, imported,"
            f" changes, avatar, header, role FROM {name}.users WHERE account IN ?"
        )
        self._cards = f"SELECT account, username, display_name, avatar FROM {name}.users WHERE account IN ?"

    async def named(self, username: str) -> User | None:
        """Return the account with a user name, ignoring case."""
        if not username.isascii():
            return None  # some letters of other scripts have an ASCII letter as lower case
        rows = await self._session.read(self._named, (username.lower(),))
        if not rows:
            return None
        account = AccountId(from_bytes(rows[0][0]))
        return (await self.by_ids([account])).get(account)

    async def by_ids(self, accounts: Collection[AccountId]) -> dict[AccountId, User]:
        """Return the accounts. Unknown ids are left out."""
        rows = await self._session.read_by_keys(self._by_ids, map(to_bytes, accounts))
        users = [_user(row) for row in rows if row[1] is not None]
        return {user.id: user for user in users}

    async def cards(self, accounts: Collection[AccountId]) -> dict[AccountId, Card]:
        """Return the short form of the accounts. Unknown ids are left out."""
        rows = await self._session.read_by_keys(self._cards, map(to_bytes, accounts))
        cards = [
            Card(AccountId(from_bytes(account)), username, display_name, avatar)
            for account, username, display_name, avatar in rows
            if username is not None
        ]
        return {card.id: card for card in cards}


def _user(row: Row) -> User:
    account, username, display_name, bio, location, website, feed, *rest = row
    created_at, began, imported, changes, avatar, header, role = rest
    id_, version = AccountId(from_bytes(account)), 1 + len(changes or ())
    about = (username, display_name, bio, location, website, feed)
    since = min(created_at, began) if imported and began is not None else created_at
    return User(id_, *about, since, imported, version, avatar, header, role or "user")


MODEL: Model[UserRows, Users] = Model(("users", "users_by_name"), CassandraUserRows, CassandraUsers)
