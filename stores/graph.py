"""The port of the graph: who follows, blocks and mutes whom."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from events.ids import AccountId

from .pages import Page


class Relation(NamedTuple):
    """How an account stands to another."""

    following: bool = False
    followed_by: bool = False
    blocking: bool = False
    blocked_by: bool = False
    muting: bool = False


STRANGERS = Relation()


class Unseen(NamedTuple):
    """Of some accounts those that a viewer does not see: behind a block, whoever made it, or muted by the viewer."""

    blocked: frozenset[AccountId] = frozenset()
    muted: frozenset[AccountId] = frozenset()


NOBODY_UNSEEN = Unseen()


class Barriers(NamedTuple):
    """Whom an account blocks and mutes."""

    blocked: frozenset[AccountId] = frozenset()
    muted: frozenset[AccountId] = frozenset()


NO_BARRIERS = Barriers()


class GraphRows(Protocol):
    """What the projector writes. `at` is the event's id at the time when it happened; lists are ordered by it."""

    def followed(self, follower: AccountId, followee: AccountId, at: str) -> None:
        """A follow is there."""
        ...

    def unfollowed(self, follower: AccountId, followee: AccountId) -> None:
        """A follow is no longer."""
        ...

    def blocked(self, blocker: AccountId, blocked: AccountId, at: str) -> None:
        """A block is there."""
        ...

    def unblocked(self, blocker: AccountId, blocked: AccountId) -> None:
        """A block is no longer."""
        ...

    def muted(self, owner: AccountId, muted: AccountId, at: str) -> None:
        """A mute is there."""
        ...

    def unmuted(self, owner: AccountId, muted: AccountId) -> None:
        """A mute is no longer."""
        ...


class Graph(Protocol):
    """What the query API reads. Lists are newest first."""

    async def relations(self, viewer: AccountId, others: Collection[AccountId]) -> dict[AccountId, Relation]:
        """How `viewer` stands to each of the others; strangers are left out."""
        ...

    async def unseen(self, viewer: AccountId, others: Collection[AccountId]) -> Unseen:
        """Those of the others that `viewer` does not see."""
        ...

    async def followees(self, account: AccountId) -> list[AccountId]:
        """Everyone that an account follows."""
        ...

    async def followers(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Who follows an account."""
        ...

    async def following(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Whom an account follows."""
        ...

    async def blocks(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Whom an account blocks."""
        ...

    async def mutes(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Whom an account mutes."""
        ...
