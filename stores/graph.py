"""The port of the graph: the follows, blocks and mutes between accounts."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from events.ids import AccountId

from .pages import Page


class Relation(NamedTuple):
    """The relation of one account to another, in both directions."""

    following: bool = False
    followed_by: bool = False
    blocking: bool = False
    blocked_by: bool = False
    muting: bool = False


STRANGERS = Relation()


class Unseen(NamedTuple):
    """The accounts hidden from a viewer: by a block in either direction, or by the viewer's mute."""

    blocked: frozenset[AccountId] = frozenset()
    muted: frozenset[AccountId] = frozenset()


NOBODY_UNSEEN = Unseen()


class Barriers(NamedTuple):
    """The accounts that an account blocks, and those that it mutes."""

    blocked: frozenset[AccountId] = frozenset()
    muted: frozenset[AccountId] = frozenset()


NO_BARRIERS = Barriers()


class GraphRows(Protocol):
    """Rows that the projector writes. Lists are ordered by `at`: the event's id, moved to the time when it happened."""

    def followed(self, follower: AccountId, followee: AccountId, at: str) -> None:
        """Add a follow."""
        ...

    def unfollowed(self, follower: AccountId, followee: AccountId) -> None:
        """Remove a follow."""
        ...

    def blocked(self, blocker: AccountId, blocked: AccountId, at: str) -> None:
        """Add a block."""
        ...

    def unblocked(self, blocker: AccountId, blocked: AccountId) -> None:
        """Remove a block."""
        ...

    def muted(self, owner: AccountId, muted: AccountId, at: str) -> None:
        """Add a mute."""
        ...

    def unmuted(self, owner: AccountId, muted: AccountId) -> None:
        """Remove a mute."""
        ...


class Graph(Protocol):
    """Reads for the query API. Lists are newest first."""

    async def relations(self, viewer: AccountId, others: Collection[AccountId]) -> dict[AccountId, Relation]:
        """Return the relation of `viewer` to each of the others. Accounts without any relation are left out."""
        ...

    async def unseen(self, viewer: AccountId, others: Collection[AccountId]) -> Unseen:
        """Return the accounts among `others` that are hidden from `viewer`."""
        ...

    async def followees(self, account: AccountId) -> list[AccountId]:
        """Return all accounts that an account follows."""
        ...

    async def followers(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that follow an account."""
        ...

    async def following(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that an account follows."""
        ...

    async def blocks(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that an account blocks."""
        ...

    async def mutes(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that an account mutes."""
        ...
