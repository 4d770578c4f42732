"""The port of the home feed, and its definition (law 5).

Newest first by activity: what the viewer and the accounts it follows now have posted or retweeted. A reply only if it
is the viewer's own, or the viewer also follows the one replied to; everyone counts as following themselves, so replies
to the viewer by those it follows are there, and threads. One item an activity.

What is deleted, or behind a block or a mute, is left out by the reader (query_api/tweets.py), which has the tweets at
hand; a store may leave it out already.
"""

from __future__ import annotations

from typing import Protocol

from events.ids import AccountId

from .pages import Page
from .user_timelines import Activity


class HomeFeed(Protocol):
    """What the query API reads."""

    async def page(self, viewer: AccountId, before: str | None, limit: int) -> Page[Activity]:
        """The newest activities of the viewer's feed older than `before`."""
        ...
