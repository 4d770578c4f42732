"""The port of the `trends` stream: which windows have to be ranked, from what, and how they were ranked last."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from events.ids import Millis
from events.trends import Trend

from .trends import WindowNumbers


class Window(NamedTuple):
    """A window by its `length`, as in 24h, and when it ends."""

    length: str
    end: Millis


class Reached(NamedTuple):
    """The newest moment that something happened, and the newest that something was appended."""

    time: Millis
    recorded: Millis


class Ranking(NamedTuple):
    """What was emitted for a window last, under which id."""

    id: str
    items: tuple[Trend, ...]


class TrendWindows(Protocol):
    """The stream's own rows, and the trends' that it ranks by, in the same transaction."""

    def touched(self, hour: int) -> None:
        """What happened in an hour (counted from 1970) is not what it was."""
        ...

    async def reached(self) -> Reached | None:
        """How far in time the events have come."""
        ...

    async def take_touched(self, before: Millis, limit: int) -> list[int]:
        """Hours that were touched and have ended by `before`; they are forgotten."""
        ...

    def put_due(self, windows: Iterable[Window]) -> None:
        """These windows have to be ranked once they have ended."""
        ...

    async def take_due(self, before: Millis) -> Window | None:
        """The first ended of the windows to be ranked that have ended by `before`; it is forgotten."""
        ...

    async def waiting(self, before: Millis) -> bool:
        """Whether there is anything to take."""
        ...

    async def numbers(self, start: Millis, end: Millis) -> WindowNumbers:
        """The tags of a window, counted."""
        ...

    async def ranking(self, window: Window) -> Ranking | None:
        """How a window was ranked last."""
        ...

    def put_ranking(self, window: Window, ranking: Ranking) -> None:
        """It is ranked like this from now on."""
        ...
