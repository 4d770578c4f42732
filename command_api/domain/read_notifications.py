"""Marking all notifications up to one as read. The mark moves forward, never back."""

from __future__ import annotations

from typing import Any

import msgspec

from events.event import Event
from events.ids import MAX_DRIFT_MS, AccountId, Millis, NotificationId, millis
from events.personal import NotificationsRead

from ..deciding import Decision
from ..facts import Facts, Question, ReadUpTo
from .acting import personal_of_actor
from .errors import NotificationNotFound


class ReadNotifications(msgspec.Struct, frozen=True, gc=False):
    """At `at`, `actor` has read all notifications up to and including `up_to`."""

    actor: AccountId
    up_to: NotificationId
    at: Millis


class State(msgspec.Struct, frozen=True, gc=False):
    """The current mark: all notifications up to this id are read; "" if there is no mark."""

    mark: str = ""


def decide(command: ReadNotifications, state: State) -> list[Event]:
    """Return the new mark, or nothing if it is not newer than the current one. Raises NotificationNotFound.

    A mark in the future is refused: it would mark notifications as read before they arrive.
    """
    if millis(command.up_to) > command.at + MAX_DRIFT_MS:
        raise NotificationNotFound(command.up_to)
    if command.up_to <= state.mark:
        return []
    return [NotificationsRead(owner=command.actor, up_to=command.up_to)]


def questions(command: ReadNotifications) -> tuple[Question[Any], ...]:
    """Ask for the current mark."""
    return (ReadUpTo(command.actor),)


def state(command: ReadNotifications, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[ReadUpTo(command.actor)])


READ_NOTIFICATIONS = Decision(personal_of_actor, questions, state, decide)
