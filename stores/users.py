"""The port of users: the accounts and their profiles."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

import msgspec

from events.accounts import Profile, Role
from events.ids import AccountId, MediaId, Millis


class Card(msgspec.Struct, frozen=True, gc=False):
    """The short form of an account, as shown beside a tweet."""

    id: AccountId
    username: str
    display_name: str
    avatar: MediaId | None = None


class User(NamedTuple):
    """An account with its profile. `version` counts the versions of the profile, from 1."""

    id: AccountId
    username: str
    display_name: str
    bio: str
    location: str
    website: str
    feed: str
    created_at: Millis
    imported: bool
    version: int
    avatar: MediaId | None = None
    header: MediaId | None = None
    role: Role = "user"


class UserRows(Protocol):
    """Rows that the projector writes."""

    def registered(
        self, account: AccountId, username: str, display_name: str, created_at: Millis, imported: bool
    ) -> None:
        """Add an account."""
        ...

    def began_by(self, account: AccountId, at: Millis) -> None:
        """Move the start of an imported account to this time, if it is earlier than the stored one.

        The calls may come in any order, also before `registered`. They have no effect on accounts that are not
        imported.
        """
        ...

    def profile_changed(self, account: AccountId, profile: Profile) -> None:
        """Replace the profile and increase its version by one."""
        ...

    def role_changed(self, account: AccountId, role: Role) -> None:
        """Replace the role."""
        ...


class Users(Protocol):
    """Reads for the query API."""

    async def named(self, username: str) -> User | None:
        """Return the account with a user name, ignoring case; None if there is none."""
        ...

    async def by_ids(self, accounts: Collection[AccountId]) -> dict[AccountId, User]:
        """Return the accounts. Unknown ids are left out."""
        ...

    async def cards(self, accounts: Collection[AccountId]) -> dict[AccountId, Card]:
        """Return the short form of the accounts. Unknown ids are left out."""
        ...
