"""The home feed from pushed timelines: the same pages and cursors as its definition, mostly from one range of rows.

Above the floor the viewer's own rows are merged with the newest of those followees that are pulled; from the floor on
down, every followee is pulled. Where the one ends and the other begins is inside a merge, so no page shows it.
Whatever is in a row is looked at again: whether its author is followed now, the rule for replies, a retweet undone.

Costs three round trips: whom the viewer follows; rows and pulled authors; which retweets are still there. What is
followed but not seen (replies to strangers, accounts no longer followed) may cost further rounds.
"""

from __future__ import annotations

from events.ids import AccountId, Clock, wall_clock
from stores.composed.merged_timelines import Merge
from stores.home_timelines import NEWEST, Entry, HomeTimelines, Keeping, Viewing
from stores.pages import Page
from stores.user_timelines import Activity

MOST_ROUNDS = 8
"""For one page; after that it stays short, and its cursor goes on."""


class HybridHomeFeed:
    """The HomeFeed port over HomeTimelines.

    What is asked for comes in this order, and not all at once: the pulled authors, then the floor, then rows. A tier
    that lets a followee be pushed was set after the floors that this needed; rows are there before a floor says so.
    """

    def __init__(self, timelines: HomeTimelines, clock: Clock = wall_clock, keeping: Keeping | None = None) -> None:
        self._timelines = timelines
        self._clock = clock
        self._keeping = keeping or Keeping()

    async def page(self, viewer: AccountId, before: str | None, limit: int) -> Page[Activity]:
        """The newest activities of the viewer's feed older than `before`."""
        pulled = await self._timelines.pulled()
        viewing = await self._timelines.viewing(viewer)
        followed = dict.fromkeys((viewer, *viewing.followees))
        heard = {account: None for account in followed if account not in viewing.muted}
        floor, cut = self._floor(viewing), before or NEWEST
        merge = Merge(limit + 1)  # one more says whether there is a next page
        by_rows = floor < cut
        merge.begin((account for account in heard if not by_rows or account in pulled), cut)
        row_limit = limit + limit // 4 + 5  # some are not shown
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
                else:  # the rest is pulled
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
