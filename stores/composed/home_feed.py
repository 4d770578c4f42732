"""The home feed from pushed timelines: the same pages and cursors as its definition, mostly from one range of rows.

Above the floor, the viewer's own rows are merged with the newest entries of pulled followees; below it, all followees
are pulled. The change from one to the other happens inside a merge, so no page shows it. Each row is checked again:
whether the viewer follows its author now, the rule for replies, and whether a retweet was undone.

Costs three round trips: the followees; the rows and the entries of pulled authors; the retweets that still exist. If
many rows are filtered out (replies to strangers, accounts no longer followed), further round trips follow.
"""

from __future__ import annotations

from events.ids import AccountId, Clock, wall_clock
from stores.composed.merged_timelines import Merge
from stores.home_timelines import NEWEST, Entry, HomeTimelines, Keeping, Viewing
from stores.pages import Page
from stores.user_timelines import Activity

MOST_ROUNDS = 8
"""The maximum number of rounds for one page. A page that is not full then is returned with a cursor."""


class HybridHomeFeed:
    """The HomeFeed port over HomeTimelines.

    The order of the reads matters: pulled authors first, then the floor, then rows. A tier changes to PUSHED only after
    the floors it needs are written, and a floor is written only after its rows.
    """

    def __init__(self, timelines: HomeTimelines, clock: Clock = wall_clock, keeping: Keeping | None = None) -> None:
        self._timelines = timelines
        self._clock = clock
        self._keeping = keeping or Keeping()

    async def page(self, viewer: AccountId, before: str | None, limit: int) -> Page[Activity]:
        """Return a page of the viewer's feed: the newest activities older than `before`."""
        pulled = await self._timelines.pulled()
        viewing = await self._timelines.viewing(viewer)
        followed = dict.fromkeys((viewer, *viewing.followees))
        heard = {account: None for account in followed if account not in viewing.muted}
        floor, cut = self._floor(viewing), before or NEWEST
        merge = Merge(limit + 1)  # one more than the page: it tells whether a next page exists
        by_rows = floor < cut
        merge.begin((account for account in heard if not by_rows or account in pulled), cut)
        row_limit = limit + limit // 4 + 5  # a reserve, since some rows are filtered out
        for _ in range(MOST_ROUNDS):
            reading_rows = by_rows and cut > merge.reach
            wanting = merge.wanting()
            if not reading_rows and not wanting:
                break
            each = 2 + 2 * limit // (1 + len(wanting))
            rows, pages = await self._timelines.read(
                viewer, (cut, floor) if reading_rows else None, row_limit, wanting, each
            )
            merge.advance(pages, each)
            merge.add(entry for page in pages.values() for entry in page if _shown(entry, viewer, followed))
            if reading_rows:
                merge.add(await self._there([row for row in rows if row.by in heard and _shown(row, viewer, followed)]))
                if len(rows) == row_limit:
                    cut = rows[-1].activity
                else:  # below the rows, all followees are pulled
                    by_rows = False
                    merge.begin((account for account in heard if account not in pulled), floor)
        entries, end = merge.certain(cut if by_rows else None)
        if len(entries) > limit:
            entries = entries[:limit]
            end = entries[-1].activity
        return Page([Activity(e.activity, e.tweet, e.by, e.retweet) for e in entries], end)

    def _floor(self, viewing: Viewing) -> str:
        if viewing.floor is None:
            return NEWEST
        return max(viewing.floor, self._keeping.oldest_trusted(self._clock()))

    async def _there(self, rows: list[Entry]) -> list[Entry]:
        retweets = [row for row in rows if row.retweet]
        if not retweets:
            return rows
        present = await self._timelines.present(retweets)
        return [row for row in rows if not row.retweet or row.activity in present]


def _shown(entry: Entry, viewer: AccountId, followed: dict[AccountId, None]) -> bool:
    return entry.by == viewer or entry.reply_to is None or entry.reply_to in followed
