"""Checks of an event's values that its class does not make: ids are ids, times are times, the key is the key field.

Readers check every record, because other programs may write to a topic: a malformed id would stop every handler that
converts it to 16 bytes. Appending checks as well, so minitwitter never writes such an event. A check takes 2 us a
record, 4 us for a tweet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import cache
from operator import attrgetter
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from .entities import Mention
from .event import BY_CLASS, BY_NAME, Envelope, Event
from .ids import AccountId, ActivityId, EventId, MediaId, NotificationId, SessionId, TweetId, is_id

IDS: tuple[Any, ...] = (AccountId, TweetId, ActivityId, EventId, SessionId, NotificationId, MediaId)
LATEST_TIME = 1 << 47
"""The first time that is out of range, in milliseconds: the year 6429. An id has 48 bits for them."""

_ID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_IDS = re.compile(f"{_ID}(?: {_ID})*")
_LENGTH = 37
"""The length of an id and a space. If the total length is right, no value can contain two ids."""

Find = Callable[[Any], Collection[str]]
"""Returns the ids in a value."""


class InvalidEvent(ValueError):
    """The event has a value that no reader could apply, so it is not appended."""


def flaw(topic: str, key: str, event: Event, about: Envelope) -> str:
    """Return the error in a decoded event, as part of a sentence; "" if there is none."""
    cls = type(event)
    kind = BY_CLASS[cls]
    if kind.topic != topic:
        return f"{kind.name} belongs to topic {kind.topic}"
    plain, deep = _getters(cls)
    ids = plain(event)
    for find in deep:
        if found := find(event):
            ids = (*ids, *found)
    joined = " ".join(ids)
    if ids and (len(joined) != _LENGTH * len(ids) - 1 or _IDS.fullmatch(joined) is None):
        return f"{next(id_ for id_ in ids if not is_id(id_))[:60]!r} is no id"
    if getattr(event, kind.key_field) != key:
        return f"its key is not its {kind.key_field}"
    return time_flaw(about)


def check(event: Event, about: Envelope) -> None:
    """Raise InvalidEvent if readers would reject the event. Called before it is appended."""
    kind = BY_CLASS[type(event)]
    wrong = flaw(kind.topic, kind.key(event), event, about)
    if not is_id(about.id):
        wrong = f"its own id {about.id[:60]!r} is no id"
    if wrong:
        raise InvalidEvent(f"{kind.name} is not appended: {wrong}")


def time_flaw(about: Envelope) -> str:
    """Return the error in the time of an event; "" if there is none."""
    return "" if 0 <= about.time < LATEST_TIME else f"its time {about.time} is out of range"


def is_known(type_: str, version: int) -> bool:
    """Return whether this software can read this version of an event."""
    kind = BY_NAME.get(type_)
    return kind is not None and 1 <= version <= kind.version


@cache
def _getters(cls: type[Event]) -> tuple[Callable[[Event], tuple[str, ...]], tuple[Find, ...]]:
    """The same as functions of an event. One call for all plain fields takes half of one for each."""
    plain, deep = _ids_of(cls)
    get: Callable[[Event], Any] = attrgetter(*plain) if plain else lambda event: ()
    if len(plain) == 1:
        return lambda event: (get(event),), deep
    return get, deep


@cache
def _ids_of(cls: type[Any]) -> tuple[tuple[str, ...], tuple[Find, ...]]:
    """Return the id fields of a struct, and functions that find ids in its optional and nested fields."""
    hints = {"account": AccountId | None} if cls is Mention else get_type_hints(cls)
    plain = tuple(name for name, hint in hints.items() if hint in IDS)
    deep = tuple(_field(name, find) for name, hint in hints.items() if name not in plain and (find := _finder(hint)))
    return plain, deep


def _field(name: str, find: Find) -> Find:
    return lambda value: find(getattr(value, name))


def _finder(hint: Any) -> Find | None:
    """Return a function that finds the ids in a value of this type; None if the type has no ids."""
    if hint in IDS:
        return lambda value: (value,)
    parts = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return next((_optional(find) for part in parts if (find := _finder(part))), None)
    if get_origin(hint) is tuple:
        return None if (each := _finder(parts[0])) is None else _each(each)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        plain, deep = _ids_of(hint)
        return _struct(plain, deep) if plain or deep else None
    return None


def _optional(find: Find) -> Find:
    return lambda value: () if value is None else find(value)


def _each(find: Find) -> Find:
    return lambda values: [id_ for value in values for id_ in find(value)] if values else ()


def _struct(plain: tuple[str, ...], deep: tuple[Find, ...]) -> Find:
    if not plain and len(deep) == 1:
        return deep[0]
    return lambda value: [*(getattr(value, name) for name in plain), *(id_ for find in deep for id_ in find(value))]
