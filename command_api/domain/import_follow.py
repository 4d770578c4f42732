"""Importing a follow: once, so that a second import does not undo an unfollow or a block made since."""

from __future__ import annotations

from typing import Any

import msgspec

from events.event import Event
from events.first_copies import Entity
from events.graph import AccountFollowed
from events.ids import AccountId

from ..deciding import Decision
from ..facts import NO_FOLLOW, AccountExists, Facts, Follow, FollowOf, Question
from .errors import AccountNotFound, NotYourself


class ImportFollow(msgspec.Struct, frozen=True, gc=False):
    """`follower` follows `followee` since the `time` of the context."""

    follower: AccountId
    followee: AccountId


class State(msgspec.Struct, frozen=True, gc=False):
    """The id of an account that is missing, and the follow between the two, present or past."""

    missing: AccountId | None = None
    follow: Follow = NO_FOLLOW


def decide(command: ImportFollow, state: State) -> list[Event]:
    """Return one AccountFollowed, or nothing if there is or was a follow, or a block.

    Raises NotYourself, AccountNotFound.
    """
    if command.follower == command.followee:
        raise NotYourself("follow")
    if state.missing is not None:
        raise AccountNotFound(state.missing)
    if state.follow.there or state.follow.ended or state.follow.blocked:
        return []
    return [AccountFollowed(follower=command.follower, followee=command.followee)]


def entities(command: ImportFollow) -> tuple[Entity, ...]:
    """Lock the follower's graph."""
    return (("graph", command.follower),)


def questions(command: ImportFollow) -> tuple[Question[Any], ...]:
    """Ask whether both accounts exist, and for the follow between them."""
    return (
        AccountExists(command.follower),
        AccountExists(command.followee),
        FollowOf(command.follower, command.followee),
    )


def state(command: ImportFollow, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    missing = [account for account in (command.follower, command.followee) if not facts[AccountExists(account)]]
    return State(missing[0] if missing else None, facts[FollowOf(command.follower, command.followee)])


IMPORT_FOLLOW = Decision(entities, questions, state, decide)
