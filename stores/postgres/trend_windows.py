"""The rows of the `trends` stream on PostgreSQL, in tables that are built together with those of trends.

Workers apply late events while one of them ranks windows, and no change may be missed. A worker that changes an hour
locks the hour's mark until its batch is committed (an upsert that changes nothing). The ranking worker skips a locked
mark and takes it later. If a mark is being taken, a change inserts it again after that transaction. The numbers are
read after the marks were taken, so they include the changes of these marks.

Only one worker ranks at a time: it holds an advisory lock during its transaction. Rankings are published before the
commit, and a later ranking of the same window has to be newer. So each such transaction has a later moment than all
before it, even if those were rolled back.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from events.ids import EventId, Millis
from events.postgres.connections import Connection
from events.trends import Trend

from ..trend_windows import EmittedRanking, NewestTimes, Window
from ..trends import HOUR, WindowNumbers
from .database import Database, available
from .sink import PostgresSink
from .trends import NUMBERS, counted, window

_decode = msgspec.json.Decoder(tuple[Trend, ...]).decode

_TURNS = 0x7472656E
"""`tren` in ASCII: the first number of the advisory lock's pair. The second stands for the generation."""
_TAKE_TURN = f"SELECT pg_advisory_xact_lock({_TURNS}, hashtext(current_schema()))"
_MOMENT = """
UPDATE trend_moment SET last = greatest(last + 1, recorded) FROM trend_clock RETURNING last"""
_REACHED = "SELECT time, recorded FROM trend_clock"
_TOUCH = """
INSERT INTO trend_touched AS t SELECT hour FROM unnest(%s::integer[]) AS hour ORDER BY hour
ON CONFLICT (hour) DO UPDATE SET hour = t.hour"""
_TAKE_TOUCHED = """
DELETE FROM trend_touched WHERE hour = ANY(ARRAY(
    SELECT hour FROM trend_touched WHERE hour < %s ORDER BY hour LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING hour"""
_PUT_DUE = "INSERT INTO trend_due SELECT * FROM unnest(%s::bigint[], %s::text[]) ON CONFLICT DO NOTHING"
_TAKE_DUE = """
DELETE FROM trend_due WHERE (ends, length) = (
    SELECT ends, length FROM trend_due WHERE ends <= %s ORDER BY ends, length LIMIT 1)
RETURNING length, ends"""
_WAITING = """
SELECT EXISTS (SELECT FROM trend_touched WHERE hour < %s FOR UPDATE SKIP LOCKED)
    OR EXISTS (SELECT FROM trend_due WHERE ends <= %s)"""
_RANKING = "SELECT id::text, items FROM trend_rankings WHERE ends = %s AND length = %s"
_PUT_RANKINGS = """
INSERT INTO trend_rankings SELECT * FROM unnest(%s::bigint[], %s::text[], %s::uuid[], %s::bytea[])
ON CONFLICT (ends, length) DO UPDATE SET id = excluded.id, items = excluded.items"""


class PostgresTrendWindows:
    """The TrendWindows port. It buffers writes until the batch is committed. Raises StoreUnavailable.

    `sink` is the group's. Marks are taken inside its batch, and are there again after a rollback.
    """

    def __init__(self, database: Database, sink: PostgresSink) -> None:
        self._database = database
        self._sink = sink
        sink.add(self)
        self._touched: set[int] = set()
        self._due: set[Window] = set()
        self._rankings: dict[Window, EmittedRanking] = {}

    def touched(self, hour: int) -> None:
        """Record that the uses in an hour have changed."""
        self._touched.add(hour)

    async def reached(self) -> NewestTimes | None:
        """Return the newest times among the applied events. In a batch, `recorded` is the batch's own moment."""
        if self._sink.begun:
            await self._sink.ask(_TAKE_TURN, ())
        rows = await self._sink.ask(_REACHED, ())
        if not rows:
            return None
        [(time, recorded)] = rows
        return NewestTimes(Millis(time), await self._moment() if self._sink.begun else Millis(recorded))

    async def _moment(self) -> Millis:
        """Reserve a new moment. Another connection commits it, before anything is published as of it."""
        async with available(), await self._database.connect() as connection:
            cursor = await connection.execute(_MOMENT)
            [(moment,)] = await cursor.fetchall()
            return Millis(moment)

    async def take_touched(self, before: Millis, limit: int) -> list[int]:
        """Return up to `limit` changed hours that ended by `before`, and remove them."""
        return sorted(hour for (hour,) in await self._sink.ask(_TAKE_TOUCHED, (before // HOUR, limit)))

    def put_due(self, windows: Iterable[Window]) -> None:
        """Record that these windows are due once they have ended."""
        self._due.update(windows)

    async def take_due(self, before: Millis) -> Window | None:
        """Return the earliest due window that ended by `before`, and remove it."""
        if self._due:
            await self._sink.ask(_PUT_DUE, ([w.end for w in self._due], [w.length for w in self._due]))
            self._due.clear()
        rows = await self._sink.ask(_TAKE_DUE, (before,))
        return Window(*rows[0]) if rows else None

    async def waiting(self, before: Millis) -> bool:
        """Return whether `take_touched` or `take_due` would return anything."""
        [(waiting,)] = await self._sink.ask(_WAITING, (before // HOUR, before))
        return bool(waiting)

    async def numbers(self, start: Millis, end: Millis) -> WindowNumbers:
        """Return the numbers of the tags in a window."""
        return counted(await self._sink.ask(NUMBERS, window(start, end)))

    async def ranking(self, window: Window) -> EmittedRanking | None:
        """Return the last ranking of a window."""
        rows = await self._sink.ask(_RANKING, (window.end, window.length))
        return EmittedRanking(EventId(rows[0][0]), _decode(rows[0][1])) if rows else None

    def put_ranking(self, window: Window, ranking: EmittedRanking) -> None:
        """Store the ranking of a window."""
        self._rankings[window] = ranking

    async def send(self, connection: Connection) -> None:
        """Write the buffered rows; marks in the order of the hours, so that no deadlock is possible."""
        if self._touched:
            await connection.execute(_TOUCH, (list(self._touched),))
        if self._due:
            await connection.execute(_PUT_DUE, ([w.end for w in self._due], [w.length for w in self._due]))
        if self._rankings:
            rows = [(w.end, w.length, r.id, msgspec.json.encode(r.items)) for w, r in self._rankings.items()]
            await connection.execute(_PUT_RANKINGS, [list(column) for column in zip(*rows, strict=True)])

    def clear(self) -> None:
        """Discard the buffered rows."""
        self._touched.clear()
        self._due.clear()
        self._rankings.clear()
