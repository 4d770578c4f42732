"""Reading all notifications up to one: the mark goes forward, never back."""

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
    """At `at`, `actor` has read everything up to and with `up_to`."""

    actor: AccountId
    up_to: NotificationId
    at: Millis


class State(msgspec.Struct, frozen=True, gc=False):
    """The newest notification up to which all were read before, "" for none."""

    mark: str = ""


def decide(command: ReadNotifications, state: State) -> list[Event]:
    """The new mark, or nothing where it is not past the present one. Raises NotificationNotFound.

    A mark in the future, a mistake of a client, would hide for ever what is still to come; so it is refused.
    """
    if millis(command.up_to) > command.at + MAX_DRIFT_MS:
        raise NotificationNotFound(command.up_to)
    if command.up_to <= state.mark:
        return []
    return [NotificationsRead(owner=command.actor, up_to=command.up_to)]


def questions(command: ReadNotifications) -> tuple[Question[Any], ...]:
    """The mark."""
    return (ReadUpTo(command.actor),)


def state(command: ReadNotifications, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[ReadUpTo(command.actor)])


READ_NOTIFICATIONS = Decision(personal_of_actor, questions, state, decide)
