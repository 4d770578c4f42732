"""Usage reports of the query side: an account was active on a day (topic `usage`).

No decision reads them. Reports are collected in memory and appended once a minute. A report that a crash loses is made
again at the account's next request. Readers count days, so a day that is reported twice counts once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from events.event import Envelope
from events.ids import AccountId, EventId, Millis
from events.log import EventLog, New
from events.usage import AccountActive

DAY_MS = 24 * 3600 * 1000


class UsageReports:
    """Collects reports; `flush` appends them."""

    def __init__(self, log: EventLog, now: Callable[[], Millis], new_id: Callable[[], str]) -> None:
        self._log = log
        self._now = now
        self._new_id = new_id
        self._day = 0
        self._seen: set[AccountId] = set()
        self._waiting: list[AccountId] = []

    def active(self, account: AccountId) -> None:
        """Note a request of an account; takes 0.2 us if the account was noted today already."""
        if account not in self._seen:
            self._seen.add(account)
            self._waiting.append(account)

    async def flush(self, most: int = 500) -> int:
        """Append up to `most` reports and return their number. On LogUnavailable they stay for the next call."""
        today = self._now() // DAY_MS
        if today != self._day:
            self._day = today
            self._seen = set(self._waiting)
        reported = self._waiting[:most]
        if not reported:
            return 0
        time = self._now()
        day = datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d")
        await self._log.append(
            [
                New(AccountActive(account=account, day=day), Envelope(EventId(self._new_id()), time, actor=account))
                for account in reported
            ]
        )
        del self._waiting[: len(reported)]
        return len(reported)
