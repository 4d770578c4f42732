"""Reading a notification: it is marked as read, once."""

from __future__ import annotations

from typing import Any

import msgspec

from events.event import Event
from events.ids import MAX_DRIFT_MS, AccountId, Millis, NotificationId, millis
from events.personal import NotificationRead

from ..deciding import Decision
from ..facts import Facts, HasRead, Question
from .acting import personal_of_actor
from .errors import NotificationNotFound


class ReadNotification(msgspec.Struct, frozen=True, gc=False):
    """At `at`, `actor` has read `notification`."""

    actor: AccountId
    notification: NotificationId
    at: Millis


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether it was read before, by itself or with all up to a later one."""

    read: bool = False


def decide(command: ReadNotification, state: State) -> list[Event]:
    """The mark, or nothing where there is one. Raises NotificationNotFound.

    Notifications are derived, and nothing derived is read here (law 7); so whether there is one with this id is not
    known, and a mark on none is harmless. That none can come from the future is known.
    """
    if millis(command.notification) > command.at + MAX_DRIFT_MS:
        raise NotificationNotFound(command.notification)
    if state.read:
        return []
    return [NotificationRead(owner=command.actor, notification=command.notification)]


def questions(command: ReadNotification) -> tuple[Question[Any], ...]:
    """Whether it was read before."""
    return (HasRead(command.actor, command.notification),)


def state(command: ReadNotification, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[HasRead(command.actor, command.notification)])


READ_NOTIFICATION = Decision(personal_of_actor, questions, state, decide)
