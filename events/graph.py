"""The graph: who follows and who blocks whom. Topic `graph`, keyed by the one who follows or blocks."""

from __future__ import annotations

from .event import Event, event
from .ids import AccountId


@event(topic="graph", key="follower")
class AccountFollowed(Event, frozen=True, kw_only=True):
    """`follower` follows `followee` from now on."""

    follower: AccountId
    followee: AccountId


@event(topic="graph", key="follower")
class AccountUnfollowed(Event, frozen=True, kw_only=True):
    """`follower` no longer follows `followee`, of its own will or ended by a block."""

    follower: AccountId
    followee: AccountId


@event(topic="graph", key="blocker")
class AccountBlocked(Event, frozen=True, kw_only=True):
    """`blocker` and `blocked` no longer see each other."""

    blocker: AccountId
    blocked: AccountId


@event(topic="graph", key="blocker")
class AccountUnblocked(Event, frozen=True, kw_only=True):
    """The block is lifted; what it ended stays ended."""

    blocker: AccountId
    blocked: AccountId
