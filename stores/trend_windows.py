"""The port of the `trends` stream: the windows that are due, the numbers to rank them by, and their last rankings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from events.ids import Millis
from events.trends import Trend

from .trends import WindowNumbers


class Window(NamedTuple):
    """A window: its `length`, such as 24h, and its end."""

    length: str
    end: Millis


class NewestTimes(NamedTuple):
    """The newest time of an event, and the newest time at which an event was appended."""

    time: Millis
    recorded: Millis


class EmittedRanking(NamedTuple):
    """The last emitted ranking of a window, and the id of its event."""

    id: str
    items: tuple[Trend, ...]


class TrendWindows(Protocol):
    """The stream's own rows, and the trends rows that it ranks by, in the same transaction."""

    def touched(self, hour: int) -> None:
        """Record that the uses in an hour (counted from 1970) have changed."""
        ...

    async def reached(self) -> NewestTimes | None:
        """Return the newest times among the applied events; None before the first."""
        ...

    async def take_touched(self, before: Millis, limit: int) -> list[int]:
        """Return up to `limit` changed hours that ended by `before`, and remove them."""
        ...

    def put_due(self, windows: Iterable[Window]) -> None:
        """Record that these windows are due once they have ended."""
        ...

    async def take_due(self, before: Millis) -> Window | None:
        """Return the earliest due window that ended by `before`, and remove it. None if there is none."""
        ...

    async def waiting(self, before: Millis) -> bool:
        """Return whether `take_touched` or `take_due` would return anything."""
        ...

    async def numbers(self, start: Millis, end: Millis) -> WindowNumbers:
        """Return the numbers of the tags in a window."""
        ...

    async def ranking(self, window: Window) -> EmittedRanking | None:
        """Return the last ranking of a window."""
        ...

    def put_ranking(self, window: Window, ranking: EmittedRanking) -> None:
        """Store the ranking of a window."""
        ...
