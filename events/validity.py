"""What the bytes of an event may say and its class does not check: ids are ids, times are times, keys are its own.

Readers ask for every record, because anybody may write to a topic: an id that is none would stop every handler that
makes 16 bytes of it. What appends asks as well, so that no such event is ours. It takes 2 us a record, 4 of a tweet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from .entities import Mention
from .event import BY_CLASS, BY_NAME, Envelope, Event
from .ids import AccountId, ActivityId, EventId, MediaId, NotificationId, SessionId, TweetId, is_id

IDS: tuple[Any, ...] = (AccountId, TweetId, ActivityId, EventId, SessionId, NotificationId, MediaId)
LATEST_TIME = 1 << 47
"""Milliseconds; the year 6429. An id has 48 bits for them."""

_ID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_IDS = re.compile(f"{_ID}(?: {_ID})*")
_LENGTH = 37
"""Of an id and a space: as long as all are together, no one of them can be two."""

Find = Callable[[Any], Iterable[str]]
"""The ids in a value."""


class InvalidEvent(ValueError):
    """An event has a value that no reader could apply, so it does not get into the log."""


def flaw(topic: str, key: str, event: Event, about: Envelope) -> str:
    """What is wrong with an event that could be decoded, as part of a sentence; empty where nothing is."""
    cls = type(event)
    kind = BY_CLASS[cls]
    if kind.topic != topic:
        return f"{kind.name} belongs to topic {kind.topic}"
    plain, deep = _ids_of(cls)
    ids = [getattr(event, name) for name in plain]
    for find in deep:
        ids.extend(find(event))
    joined = " ".join(ids)
    if ids and (len(joined) != _LENGTH * len(ids) - 1 or _IDS.fullmatch(joined) is None):
        return f"{next(id_ for id_ in ids if not is_id(id_))[:60]!r} is no id"
    if getattr(event, kind.key_field) != key:
        return f"its key is not its {kind.key_field}"
    return time_flaw(about)


def check(event: Event, about: Envelope) -> None:
    """Whether an event may be appended: every reader will ask the same of it. Raises InvalidEvent."""
    kind = BY_CLASS[type(event)]
    wrong = flaw(kind.topic, kind.key(event), event, about)
    if not is_id(about.id):
        wrong = f"its own id {about.id[:60]!r} is no id"
    if wrong:
        raise InvalidEvent(f"{kind.name} is not appended: {wrong}")


def time_flaw(about: Envelope) -> str:
    """What is wrong with the time of an event; empty where nothing is."""
    return "" if 0 <= about.time < LATEST_TIME else f"its time {about.time} is out of range"


def is_known(type_: str, version: int) -> bool:
    """Whether this software can read a version of an event."""
    kind = BY_NAME.get(type_)
    return kind is not None and 1 <= version <= kind.version


@cache
def _ids_of(cls: type[Any]) -> tuple[tuple[str, ...], tuple[Find, ...]]:
    """The fields of a struct that are ids, and what finds those that may be missing or lie deeper."""
    hints = {"account": AccountId | None} if cls is Mention else get_type_hints(cls)
    plain = tuple(name for name, hint in hints.items() if hint in IDS)
    deep = tuple(_field(name, find) for name, hint in hints.items() if name not in plain and (find := _finder(hint)))
    return plain, deep


def _field(name: str, find: Find) -> Find:
    return lambda value: find(getattr(value, name))


def _finder(hint: Any) -> Find | None:
    """What finds the ids in a value of a type; None where it can have none."""
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
    return lambda values: [id_ for value in values for id_ in find(value)]


def _struct(plain: tuple[str, ...], deep: tuple[Find, ...]) -> Find:
    return lambda value: [*(getattr(value, name) for name in plain), *(id_ for find in deep for id_ in find(value))]
