"""The `trends` stream's rows on PostgreSQL; the tables are beside the trends' own, so that both are built together.

Workers land late events while one of them settles windows, and none may be missed. Whoever changes an hour locks its
mark until the batch is there for all to read (an upsert that changes nothing); an hour whose mark is locked is left
for later, and one whose mark is being taken is marked anew when that has landed. What is ranked is read after the
marks were taken, so it has all that they stand for.

Turns take turns: an advisory lock is held for as long as one's transaction lasts. And each has a moment of its own,
later than those before it even if they were undone: rankings are published before they land, and what is published
afterwards of the same window has to be newer.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from events.ids import EventId, Millis
from events.postgres.connections import Connection
from events.trends import Trend

from ..trend_windows import Ranking, Reached, Window
from ..trends import HOUR, WindowNumbers
from .database import Database, available
from .sink import PostgresSink
from .trends import NUMBERS, counted, window

_decode = msgspec.json.Decoder(tuple[Trend, ...]).decode

_TURNS = 0x7472656E
"""`tren` in ASCII, of the pair that nobody else locks; the other is the generation's."""
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
    """The TrendWindows port, and what of it waits for the batch to land. Raises StoreUnavailable.

    `sink` is the group's. What is taken is taken within its batch, and is there again when that is undone.
    """

    def __init__(self, database: Database, sink: PostgresSink) -> None:
        self._database = database
        self._sink = sink
        sink.add(self)
        self._touched: set[int] = set()
        self._due: set[Window] = set()
        self._rankings: dict[Window, Ranking] = {}

    def touched(self, hour: int) -> None:
        """What happened in an hour is not what it was."""
        self._touched.add(hour)

    async def reached(self) -> Reached | None:
        """How far in time the events have come. In a batch, with the moment of its own that it has from then on."""
        if self._sink.begun:
            await self._sink.ask(_TAKE_TURN, ())
        rows = await self._sink.ask(_REACHED, ())
        if not rows:
            return None
        [(time, recorded)] = rows
        return Reached(Millis(time), await self._moment() if self._sink.begun else Millis(recorded))

    async def _moment(self) -> Millis:
        """A moment that nobody had; taken for good, by another connection, before anything is said as of it."""
        async with available(), await self._database.connect() as connection:
            cursor = await connection.execute(_MOMENT)
            [(moment,)] = await cursor.fetchall()
            return Millis(moment)

    async def take_touched(self, before: Millis, limit: int) -> list[int]:
        """Hours that were touched and have ended by `before`."""
        return sorted(hour for (hour,) in await self._sink.ask(_TAKE_TOUCHED, (before // HOUR, limit)))

    def put_due(self, windows: Iterable[Window]) -> None:
        """These windows have to be ranked once they have ended."""
        self._due.update(windows)

    async def take_due(self, before: Millis) -> Window | None:
        """The first ended of the windows to be ranked that have ended by `before`."""
        if self._due:
            await self._sink.ask(_PUT_DUE, ([w.end for w in self._due], [w.length for w in self._due]))
            self._due.clear()
        rows = await self._sink.ask(_TAKE_DUE, (before,))
        return Window(*rows[0]) if rows else None

    async def waiting(self, before: Millis) -> bool:
        """Whether there is anything to take."""
        [(waiting,)] = await self._sink.ask(_WAITING, (before // HOUR, before))
        return bool(waiting)

    async def numbers(self, start: Millis, end: Millis) -> WindowNumbers:
        """The tags of a window, counted."""
        return counted(await self._sink.ask(NUMBERS, window(start, end)))

    async def ranking(self, window: Window) -> Ranking | None:
        """How a window was ranked last."""
        rows = await self._sink.ask(_RANKING, (window.end, window.length))
        return Ranking(EventId(rows[0][0]), _decode(rows[0][1])) if rows else None

    def put_ranking(self, window: Window, ranking: Ranking) -> None:
        """It is ranked like this from now on."""
        self._rankings[window] = ranking

    async def land(self, connection: Connection) -> None:
        """Write them, marks in the order of the hours: no worker waits for one that waits for it."""
        if self._touched:
            await connection.execute(_TOUCH, (list(self._touched),))
        if self._due:
            await connection.execute(_PUT_DUE, ([w.end for w in self._due], [w.length for w in self._due]))
        if self._rankings:
            rows = [(w.end, w.length, r.id, msgspec.json.encode(r.items)) for w, r in self._rankings.items()]
            await connection.execute(_PUT_RANKINGS, [list(column) for column in zip(*rows, strict=True)])

    def clear(self) -> None:
        """Forget them."""
        self._touched.clear()
        self._due.clear()
        self._rankings.clear()
