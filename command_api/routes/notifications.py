"""Routes under /notifications: mark notifications as read."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request, Response
from pydantic import Field

from events.ids import NotificationId, is_id
from rest import examples
from rest.problems import ProblemError, invalid
from rest.route_problems import problems, takes_key
from rest.routing import AN_ID, Body, SignedIn, router

from ..domain.errors import NotificationNotFound
from ..domain.read_notification import READ_NOTIFICATION, ReadNotification
from ..domain.read_notifications import READ_NOTIFICATIONS, ReadNotifications
from .executing import Executing

notifications = router("Notifications")


NotificationInPath = Annotated[
    str, Path(description="The id of a notification", examples=[examples.ID], json_schema_extra=AN_ID)
]


class ReadBody(Body):
    """The notification up to which all are read."""

    up_to: Annotated[
        str,
        Field(
            description="The id of the newest notification that you have read",
            examples=[examples.ID],
            json_schema_extra=AN_ID,
        ),
    ]


@notifications.post("/notifications/{id}/read", status_code=204)
@problems(NotificationNotFound)
@takes_key
async def read_notification(
    id: NotificationInPath, request: Request, viewer: SignedIn, executing: Executing
) -> Response:
    """Mark one notification as read."""
    if not is_id(id):
        raise ProblemError("not-found", f"there is no notification {id}")
    context = executing.context(viewer.account, await request.body())
    command = ReadNotification(viewer.account, NotificationId(id), at=executing.commands.ids.now())
    return executing.response(await executing.execute(READ_NOTIFICATION, command, context))


@notifications.post("/notifications/read", status_code=204)
@problems(NotificationNotFound)
@takes_key
async def read_notifications(body: ReadBody, request: Request, viewer: SignedIn, executing: Executing) -> Response:
    """Mark all notifications up to and including one as read."""
    if not is_id(body.up_to):
        raise invalid("up_to", "not_an_id", "up_to must be the id of a notification")
    context = executing.context(viewer.account, await request.body())
    command = ReadNotifications(viewer.account, NotificationId(body.up_to), at=executing.commands.ids.now())
    return executing.response(await executing.execute(READ_NOTIFICATIONS, command, context))
