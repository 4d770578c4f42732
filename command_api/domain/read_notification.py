"""Marking one notification as read."""

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
    """Whether it is read already, by its own mark or by a mark of all up to a later one."""

    read: bool = False


def decide(command: ReadNotification, state: State) -> list[Event]:
    """Return NotificationRead, or nothing if it is read already. Raises NotificationNotFound for an id of the future.

    Notifications are derived, and the command side reads no derived data (law 7). So it cannot check that the
    notification exists; a mark without a notification is harmless.
    """
    if millis(command.notification) > command.at + MAX_DRIFT_MS:
        raise NotificationNotFound(command.notification)
    if state.read:
        return []
    return [NotificationRead(owner=command.actor, notification=command.notification)]


def questions(command: ReadNotification) -> tuple[Question[Any], ...]:
    """Ask whether it is read already."""
    return (HasRead(command.actor, command.notification),)


def state(command: ReadNotification, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[HasRead(command.actor, command.notification)])


READ_NOTIFICATION = Decision(personal_of_actor, questions, state, decide)
