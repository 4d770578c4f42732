"""Hashtags to trends: rank each window when it ends, and again when its counts change later.

Windows follow each other without overlap (UTC): 24 of an hour, four of six hours and one of a day. Time is the time of
events: a window has ended when an event happened at or after its end. A window is never closed: a late event, an
import, an edit or a deletion changes its hour. Then the windows with this hour are ranked again, and those of the next
seven days that compare themselves with it. That is done when there is nothing else to do, a few windows at a time, so
an import of a year costs one ranking per window instead of one per tweet.

The number of rankings of a window depends on the batches; the newest record of each is a function of the log (law 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from events.event import Envelope, on
from events.ids import EventId, Millis, TweetId, id_at, millis
from events.log import New, Record
from events.trends import Trend, TrendsRanked
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from stores.trend_windows import EmittedRanking, NewestTimes, TrendWindows, Window
from stores.trends import DAYS_BEFORE, HOUR, WINDOWS, rank

from .stream import Emit, Stream

HOURS_A_TURN = 100
WINDOWS_A_TURN = 32
TAGS_A_TURN = 100
"""The number of ranked tags that ends a turn. A tag of a window takes 50 us in a small community, 400 in a big one."""


def name_of(window: Window) -> str:
    """Return the window's key in the topic, as in `1h/2015-02-20T15:00:00.000Z`."""
    end = datetime.fromtimestamp(window.end / 1000, UTC)
    return f"{window.length}/{end:%Y-%m-%dT%H:%M:%S}.000Z"


def windows_around(hour: int) -> Iterator[Window]:
    """Yield the windows that contain an hour, one of each length. `hour` counts hours since 1970."""
    for length, duration in WINDOWS.items():
        hours = duration // HOUR
        yield Window(length, Millis((hour // hours + 1) * hours * HOUR))


def windows_compared(hour: int) -> Iterator[Window]:
    """Yield the windows that compare themselves with an hour of an earlier day."""
    for day in range(1, DAYS_BEFORE + 1):
        yield from windows_around(hour + 24 * day)


def newest_rankings(records: Iterable[Record | New]) -> dict[str, tuple[Trend, ...]]:
    """Return the newest ranking of each window that has trends.

    It is the same for two runs over the same log, whatever their batches (law 2).
    """
    newest: dict[str, tuple[str, tuple[Trend, ...]]] = {}
    for record in records:
        event = record.event
        if isinstance(event, TrendsRanked) and record.about.id > newest.get(event.window, ("", ()))[0]:
            newest[event.window] = (record.about.id, event.items)
    return {window: items for window, (_, items) in newest.items() if items}


class Trends(Stream):
    """The topic `trends`. If other processes write the same rows (`shared`), it also looks for windows that they
    changed.
    """

    name = "trends"
    model = "trends"

    def __init__(self, emit: Emit, windows: TrendWindows, *, shared: bool = False) -> None:
        super().__init__(emit)
        self._windows = windows
        self._shared = shared
        self._stirred = True  # the previous process may have left windows to rank

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Mark the tweet's hour as changed if it has tags. Any tweet can end a window, because it advances the time."""
        self._stirred = True
        if event.entities.hashtags:
            self._touch(event.tweet)

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """Mark the tweet's hour as changed."""
        self._touch(event.tweet)

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Mark the tweet's hour as changed."""
        self._touch(event.tweet)

    def _touch(self, tweet: TweetId) -> None:
        self._stirred = True
        self._windows.touched(millis(tweet) // HOUR)

    async def has_due(self) -> bool:
        """Return whether a window has ended, or an ended window has changed."""
        if self._stirred or self._shared:
            reached = await self._windows.reached()
            self._stirred = reached is not None and await self._windows.waiting(reached.time)
        return self._stirred

    async def emit_due(self) -> None:
        """Rank some of these windows, and emit the rankings that differ from the last."""
        reached = await self._windows.reached()
        if reached is None:
            return
        for hour in await self._windows.take_touched(reached.time, HOURS_A_TURN):
            self._windows.put_due(windows_around(hour))
            # Windows that have not ended are ranked at their end, if they have tags.
            self._windows.put_due(w for w in windows_compared(hour) if w.end <= reached.time)
        looked_at = 0
        for _ in range(WINDOWS_A_TURN):
            window = await self._windows.take_due(reached.time)
            if window is None:
                return
            looked_at += await self._rank(window, reached)
            if looked_at >= TAGS_A_TURN:
                return

    async def _rank(self, window: Window, reached: NewestTimes) -> int:
        start = Millis(window.end - WINDOWS[window.length])
        numbers = await self._windows.numbers(start, window.end)
        ranked = rank(numbers)
        items = tuple(
            Trend(tag=r.tag, count=r.uses, authors=r.authors, expected=r.expected, score=r.score) for r in ranked
        )
        last = await self._windows.ranking(window)
        if items != (() if last is None else last.items):
            self._say(window, start, items, last, reached)
        return len(numbers.tags)

    def _say(
        self, window: Window, start: Millis, items: tuple[Trend, ...], last: EmittedRanking | None, reached: NewestTimes
    ) -> None:
        # Later than the last ranking, because readers drop ids that are not newer; else as new as its newest event.
        moment = reached.recorded if last is None else max(reached.recorded, millis(last.id) + 1)
        id_ = id_at(Millis(moment), "TrendsRanked", name_of(window))
        self._windows.put_ranking(window, EmittedRanking(id_, items))
        event = TrendsRanked(window=name_of(window), start=start, end=window.end, items=items)
        self._emit(New(event, Envelope(id=EventId(id_), time=window.end)))
