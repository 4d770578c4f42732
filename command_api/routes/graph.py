"""Routes under /users: follow, block, mute, and change the profile."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Header, Request, Response
from pydantic import Field

from events.ids import MediaId, is_id
from rest.problems import invalid
from rest.route_problems import problems, takes_key
from rest.routing import AN_ID, Body, NameInPath, SignedIn, router, version_wanted

from ..domain.block_account import BLOCK_ACCOUNT, BlockAccount
from ..domain.change_profile import CHANGE_PROFILE, ChangeProfile
from ..domain.errors import (
    AccountNotFound,
    Blocked,
    MediaGone,
    MediaNotFound,
    MediaUnfinished,
    NotAPicture,
    NotYourself,
)
from ..domain.follow_account import FOLLOW_ACCOUNT, FollowAccount
from ..domain.mute_account import MUTE_ACCOUNT, MuteAccount
from ..domain.unblock_account import UNBLOCK_ACCOUNT, UnblockAccount
from ..domain.unfollow_account import UNFOLLOW_ACCOUNT, UnfollowAccount
from ..domain.unmute_account import UNMUTE_ACCOUNT, UnmuteAccount
from ..facts import AccountNamed, Named
from .executing import Executing
from .free_text import FreeText, ShownName, Website

graph = router("Users and the graph")


@graph.post("/users/{username}/follow", status_code=204)
@problems(AccountNotFound, NotYourself, Blocked)
@takes_key
async def follow_user(username: NameInPath, request: Request, viewer: SignedIn, executing: Executing) -> Response:
    """Follow an account; nothing changes if you follow it already."""
    command = FollowAccount(viewer.account, Named(username))
    context = executing.context(viewer.account, await request.body())
    policies = executing.commands.policies.follows
    return executing.response(
        await executing.execute_limited(policies, viewer.account, FOLLOW_ACCOUNT, command, context)
    )


@graph.delete("/users/{username}/follow", status_code=204)
@problems(AccountNotFound)
async def unfollow_user(username: NameInPath, viewer: SignedIn, executing: Executing) -> Response:
    """Unfollow an account; nothing changes if you do not follow it."""
    command = UnfollowAccount(viewer.account, Named(username))
    return executing.response(await executing.execute(UNFOLLOW_ACCOUNT, command, executing.context(viewer.account)))


@graph.post("/users/{username}/block", status_code=204)
@problems(AccountNotFound, NotYourself)
@takes_key
async def block_user(username: NameInPath, request: Request, viewer: SignedIn, executing: Executing) -> Response:
    """Block an account: follows between you end in both directions, and each is hidden from the other."""
    question = AccountNamed(username)
    account = (await executing.commands.store.ask(question))[question]
    if account is None:
        raise AccountNotFound(username)
    command = BlockAccount(viewer.account, account.id)
    context = executing.context(viewer.account, await request.body())
    return executing.response(await executing.execute(BLOCK_ACCOUNT, command, context))


@graph.delete("/users/{username}/block", status_code=204)
@problems(AccountNotFound)
async def unblock_user(username: NameInPath, viewer: SignedIn, executing: Executing) -> Response:
    """Unblock an account; follows that the block ended are not restored."""
    command = UnblockAccount(viewer.account, Named(username))
    return executing.response(await executing.execute(UNBLOCK_ACCOUNT, command, executing.context(viewer.account)))


@graph.post("/users/{username}/mute", status_code=204)
@problems(AccountNotFound, NotYourself)
@takes_key
async def mute_user(username: NameInPath, request: Request, viewer: SignedIn, executing: Executing) -> Response:
    """Mute an account: hide its tweets and notifications from you; it is not told."""
    command = MuteAccount(viewer.account, Named(username))
    context = executing.context(viewer.account, await request.body())
    return executing.response(await executing.execute(MUTE_ACCOUNT, command, context))


@graph.delete("/users/{username}/mute", status_code=204)
@problems(AccountNotFound)
async def unmute_user(username: NameInPath, viewer: SignedIn, executing: Executing) -> Response:
    """Unmute an account."""
    command = UnmuteAccount(viewer.account, Named(username))
    return executing.response(await executing.execute(UNMUTE_ACCOUNT, command, executing.context(viewer.account)))


_Picture = Annotated[
    str | None,
    Field(description="The id of a finished picture of yours; null removes the current one", json_schema_extra=AN_ID),
]


class ProfileBody(Body):
    """The fields to change; an omitted field stays as it is."""

    display_name: Annotated[ShownName | None, Field(description="The name shown", examples=["Ada"])] = None
    bio: Annotated[
        Annotated[str, FreeText(300)] | None,
        Field(description="A few lines about you", examples=["Writes programs for engines."]),
    ] = None
    location: Annotated[
        Annotated[str, FreeText(100)] | None, Field(description="Where you are, as free text", examples=["London"])
    ] = None
    website: Annotated[
        Annotated[str, Website(200, lines=False)] | None,
        Field(description='The URL of your website; `""` removes it', examples=["https://example.org"]),
    ] = None
    feed: Annotated[
        Literal["latest"] | None,
        Field(description="The order of your `/feed`; `latest` is the only one so far", examples=["latest"]),
    ] = None
    avatar_media_id: _Picture = None
    header_media_id: _Picture = None


_PICTURES = {"avatar_media_id": "avatar", "header_media_id": "header"}


def _pictures(body: ProfileBody) -> dict[str, MediaId | None]:
    """Return the pictures to change; None removes one. Raises a problem with status 422."""
    pictures: dict[str, MediaId | None] = {}
    for field, id_ in body.model_dump(include=set(_PICTURES), exclude_unset=True).items():
        if id_ is not None and not is_id(id_):
            raise invalid(field, "not_an_id", f"{field} has to be the id of a medium")
        pictures[_PICTURES[field]] = id_
    return pictures


@graph.patch("/users/me", status_code=204)
@problems(MediaNotFound, MediaGone, MediaUnfinished, NotAPicture)
async def change_profile(
    body: ProfileBody,
    viewer: SignedIn,
    executing: Executing,
    if_match: Annotated[str | None, Header(description="The `ETag` of the profile that was read")] = None,
) -> Response:
    """Change your profile: display name, bio, location, website, pictures."""
    given = body.model_dump(exclude_unset=True, exclude=set(_PICTURES))
    changes = {name: value for name, value in given.items() if value is not None}
    command = ChangeProfile(viewer.account, **changes | _pictures(body), if_version=version_wanted(if_match))
    return executing.response(await executing.execute(CHANGE_PROFILE, command, executing.context(viewer.account)))
