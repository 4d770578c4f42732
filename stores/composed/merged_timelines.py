"""Merging many timelines newest first, reading of each only what the first so many entries depend on.

Every timeline is read down to its tail. An entry is certain once no timeline that goes on has its tail above it. So a
round reads on in those timelines only whose tails are above the last entry wanted: a few rows of each account for a
page, whatever the length of the timelines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from events.ids import AccountId, ActivityId
from stores.home_timelines import Entry


class Merge:
    """What has been found so far, and where each timeline goes on. An activity that is found twice counts once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: dict[ActivityId, Entry] = {}
        self._tails: dict[AccountId, str] = {}

    def begin(self, accounts: Iterable[AccountId], before: str) -> None:
        """These timelines belong to it as well, from `before` on."""
        self._tails.update(dict.fromkeys(accounts, before))

    def add(self, entries: Iterable[Entry]) -> None:
        """Entries that were found."""
        self._found.update((entry.activity, entry) for entry in entries)

    def advance(self, pages: Mapping[AccountId, list[Entry]], limit: int) -> None:
        """What a round has read of timelines, `limit` entries of each at most."""
        for account, page in pages.items():
            if len(page) < limit:
                del self._tails[account]
            else:
                self._tails[account] = page[-1].activity

    @property
    def reach(self) -> str:
        """The last entry wanted, as far as is known: what is below does not matter."""
        if len(self._found) < self._most:
            return ""
        return sorted(self._found, reverse=True)[self._most - 1]

    def wanting(self) -> dict[AccountId, str]:
        """The timelines that have to be read on, and from where."""
        reach = self.reach
        return {account: tail for account, tail in self._tails.items() if tail > reach}

    def certain(self, cut: str | None = None) -> tuple[list[Entry], str | None]:
        """The first entries in order, and where the certain part ends; None: with the last entry of all.

        `cut` is the tail of something else that is being read beside the timelines.
        """
        end = max(self._tails.values(), default=None)
        if cut is not None:
            end = cut if end is None else max(end, cut)
        ids = sorted((id_ for id_ in self._found if end is None or id_ >= end), reverse=True)[: self._most]
        return [self._found[id_] for id_ in ids], end
