"""The port of users: who there is, and what they say about themselves."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

import msgspec

from events.accounts import Profile
from events.ids import AccountId, MediaId, Millis


class Card(msgspec.Struct, frozen=True, gc=False):
    """An account in few words, as it stands beside a tweet."""

    id: AccountId
    username: str
    display_name: str
    avatar: MediaId | None = None


class User(NamedTuple):
    """An account whole. `version` counts its profiles, from 1."""

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


class UserRows(Protocol):
    """What the projector writes."""

    def registered(
        self, account: AccountId, username: str, display_name: str, created_at: Millis, imported: bool
    ) -> None:
        """An account began."""
        ...

    def began_by(self, account: AccountId, at: Millis) -> None:
        """An imported account began at this time or earlier; the earliest of all times counts.

        These times come in any order, also before `registered`. They do not count for accounts that are not imported.
        """
        ...

    def profile_changed(self, account: AccountId, profile: Profile) -> None:
        """The profile is another from now on; its version is one more."""
        ...


class Users(Protocol):
    """What the query API reads."""

    async def named(self, username: str) -> User | None:
        """The account with a name, whatever the case."""
        ...

    async def by_ids(self, accounts: Collection[AccountId]) -> dict[AccountId, User]:
        """Those of the accounts that there are."""
        ...

    async def cards(self, accounts: Collection[AccountId]) -> dict[AccountId, Card]:
        """Those of the accounts that there are, in few words."""
        ...
