"""The rows of the `trends` stream on SQLite. The tables belong to trends.py, so that both are built together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import apsw
import msgspec

from events.ids import Millis, from_bytes, to_bytes
from events.trends import Trend

from ..trend_windows import EmittedRanking, NewestTimes, Window
from ..trends import HOUR, WindowNumbers
from .trends import WindowCounts

_decode = msgspec.json.Decoder(tuple[Trend, ...]).decode


class SqliteTrendWindows:
    """The TrendWindows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany
        self._counts = WindowCounts(connection, names)
        self._touch = "INSERT OR IGNORE INTO {trend_touched} VALUES (?)".format(**names)
        self._first_touched = "SELECT min(hour) FROM {trend_touched}".format(**names)
        self._touched = "SELECT hour FROM {trend_touched} WHERE hour < ? ORDER BY hour LIMIT ?".format(**names)
        self._forget_touched = "DELETE FROM {trend_touched} WHERE hour=?".format(**names)
        self._put_due = "INSERT OR IGNORE INTO {trend_due} VALUES (?, ?)".format(**names)
        self._first_due = "SELECT min(ends) FROM {trend_due}".format(**names)
        self._due = "SELECT length, ends FROM {trend_due} WHERE ends <= ? ORDER BY ends, length LIMIT 1".format(**names)
        self._forget_due = "DELETE FROM {trend_due} WHERE length=? AND ends=?".format(**names)
        self._reached = "SELECT time, recorded FROM {trend_clock}".format(**names)
        self._ranking = "SELECT id, items FROM {trend_rankings} WHERE ends=? AND length=?".format(**names)
        self._put_ranking = "INSERT OR REPLACE INTO {trend_rankings} VALUES (?, ?, ?, ?)".format(**names)

    def touched(self, hour: int) -> None:
        """Record that the uses in an hour have changed."""
        self._execute(self._touch, (hour,))

    async def reached(self) -> NewestTimes | None:
        """Return the newest times among the applied events; None before the first."""
        row: Any = self._execute(self._reached).fetchone()
        return None if row is None else NewestTimes(*row)

    async def take_touched(self, before: Millis, limit: int) -> list[int]:
        """Return up to `limit` changed hours that ended by `before`, and remove them."""
        hours = [int(hour) for (hour,) in self._execute(self._touched, (before // HOUR, limit))]
        self._executemany(self._forget_touched, [(hour,) for hour in hours])
        return hours

    def put_due(self, windows: Iterable[Window]) -> None:
        """Record that these windows are due once they have ended."""
        self._executemany(self._put_due, [(window.end, window.length) for window in windows])

    async def take_due(self, before: Millis) -> Window | None:
        """Return the earliest due window that ended by `before`, and remove it."""
        row: Any = self._execute(self._due, (before,)).fetchone()
        if row is None:
            return None
        self._execute(self._forget_due, row)
        return Window(*row)

    async def waiting(self, before: Millis) -> bool:
        """Return whether `take_touched` or `take_due` would return anything."""
        hour: Any = self._execute(self._first_touched).get
        end: Any = self._execute(self._first_due).get
        return (hour is not None and hour < before // HOUR) or (end is not None and end <= before)

    async def numbers(self, start: Millis, end: Millis) -> WindowNumbers:
        """Return the numbers of the tags in a window."""
        return self._counts.numbers(start, end)

    async def ranking(self, window: Window) -> EmittedRanking | None:
        """Return the last ranking of a window."""
        row: Any = self._execute(self._ranking, (window.end, window.length)).fetchone()
        return None if row is None else EmittedRanking(from_bytes(row[0]), _decode(row[1]))

    def put_ranking(self, window: Window, ranking: EmittedRanking) -> None:
        """Store the ranking of a window."""
        items = msgspec.json.encode(ranking.items)
        self._execute(self._put_ranking, (window.end, window.length, to_bytes(ranking.id), items))
