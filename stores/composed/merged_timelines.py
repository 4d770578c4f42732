"""A merge of many timelines, newest first, that reads only the rows on which the first entries depend.

Every timeline is read down to its tail. An entry is certain if it is not below the tail of any unfinished timeline. So
each round continues only timelines whose tails are above the last wanted entry: a few rows of each account for a page,
whatever the length of the timelines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from events.ids import AccountId, ActivityId
from stores.home_timelines import Entry


class Merge:
    """The entries found so far, and the tail of each unfinished timeline. An activity found twice counts once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: dict[ActivityId, Entry] = {}
        self._tails: dict[AccountId, str] = {}

    def begin(self, accounts: Iterable[AccountId], before: str) -> None:
        """Add timelines to the merge, to be read from `before` downwards."""
        self._tails.update(dict.fromkeys(accounts, before))

    def add(self, entries: Iterable[Entry]) -> None:
        """Add entries that were found."""
        self._found.update((entry.activity, entry) for entry in entries)

    def advance(self, pages: Mapping[AccountId, list[Entry]], limit: int) -> None:
        """Take in one round of reads: up to `limit` entries of each timeline. A shorter page ends its timeline."""
        for account, page in pages.items():
            if len(page) < limit:
                del self._tails[account]
            else:
                self._tails[account] = page[-1].activity

    @property
    def reach(self) -> str:
        """The id of the last wanted entry among those found. Entries below it do not matter."""
        if len(self._found) < self._most:
            return ""
        return sorted(self._found, reverse=True)[self._most - 1]

    def wanting(self) -> dict[AccountId, str]:
        """Return the timelines to read on, each with the id from which to continue."""
        reach = self.reach
        return {account: tail for account, tail in self._tails.items() if tail > reach}

    def certain(self, cut: str | None = None) -> tuple[list[Entry], str | None]:
        """Return the certain entries in order, and the id at which they end; None if the list is complete.

        `cut` is the tail of another list that is read beside the timelines.
        """
        end = max(self._tails.values(), default=None)
        if cut is not None:
            end = cut if end is None else max(end, cut)
        ids = sorted((id_ for id_ in self._found if end is None or id_ >= end), reverse=True)[: self._most]
        return [self._found[id_] for id_ in ids], end
