"""The port of the home feed, and the feed's definition (law 5).

The feed has the activities of the viewer and of the accounts that the viewer follows now, newest first: tweets and
retweets, each activity as one item. A reply is included only if it is the viewer's own, or if the viewer also follows
the author of the tweet replied to. For this rule every account follows itself; so threads are included, and so are
replies to the viewer by followed accounts.

Items that are deleted, or behind a block or a mute, are left out by the reader (query_api/tweets.py), which has the
tweets at hand. A store may leave them out already.
"""

from __future__ import annotations

from typing import Protocol

from events.ids import AccountId

from .pages import Page
from .user_timelines import Activity


class HomeFeed(Protocol):
    """Reads for the query API."""

    async def page(self, viewer: AccountId, before: str | None, limit: int) -> Page[Activity]:
        """Return a page of the viewer's feed: the newest activities older than `before`."""
        ...
