"""The graph: follows and blocks. Topic `graph`, keyed by the account that follows or blocks."""

from __future__ import annotations

from .event import Event, event
from .ids import AccountId


@event(topic="graph", key="follower")
class AccountFollowed(Event, frozen=True, kw_only=True):
    """`follower` followed `followee`."""

    follower: AccountId
    followee: AccountId


@event(topic="graph", key="follower")
class AccountUnfollowed(Event, frozen=True, kw_only=True):
    """`follower` unfollowed `followee`, or a block between them ended the follow."""

    follower: AccountId
    followee: AccountId


@event(topic="graph", key="blocker")
class AccountBlocked(Event, frozen=True, kw_only=True):
    """`blocker` blocked `blocked`: neither sees the other any more."""

    blocker: AccountId
    blocked: AccountId


@event(topic="graph", key="blocker")
class AccountUnblocked(Event, frozen=True, kw_only=True):
    """`blocker` removed the block. Follows that the block ended are not restored."""

    blocker: AccountId
    blocked: AccountId
