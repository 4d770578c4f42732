"""Reading notifications: GET /notifications and /notifications/unread-count."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import Query, Request, Response

from rest import resources
from rest.openapi import answers
from rest.routing import Page, Paged, SignedIn, json_response, page_response, router
from stores.notifications import KINDS, Kind

from .. import notifications as reading
from ..serving import ACTIVITIES, Querying, Reading, reads

notifications = router("Notifications")


class Unread(msgspec.Struct, frozen=True):
    """The number of unread notifications; 99 stands for 99 or more."""

    count: int
    """The number of unread items, up to 99."""


@notifications.get("/notifications", response_model=None)
@answers(Page[resources.Notification])
@reads("notifications", "tweets", *ACTIVITIES)
async def get_notifications(
    request: Request,
    viewer: SignedIn,
    page: Paged,
    queries: Querying,
    readers: Reading,
    kind: Annotated[Kind | None, Query(description="List only this kind")] = None,
) -> Response:
    """List your notifications, newest first.

    All likes of one tweet are one item, with the newest accounts that liked it. Retweets of one tweet are one item as
    well.
    """
    of = f"notifications {viewer.account} {kind}"
    kinds = KINDS if kind is None else (kind,)
    found = await reading.shown(readers, viewer.account, kinds, page.after(queries.cursors, of), page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)


@notifications.get("/notifications/unread-count", response_model=None)
@answers(Unread)
@reads("notifications", "tweets", "graph")
async def get_unread_count(viewer: SignedIn, readers: Reading) -> Response:
    """Count the items of GET /notifications that are unread, up to 99."""
    return json_response(Unread(await reading.unread_count(readers, viewer.account)))
