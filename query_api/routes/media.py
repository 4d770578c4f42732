"""Reading media: /media/{id} for the owner, and, at the root, the public addresses of the files.

A file's address stays the same as long as the medium exists and a tweet or a profile shows it; a medium that was not
shown yet has one as well. The address redirects to a signed link of the object store, which expires. So no byte of a
file passes through this process, and a deleted file is not found.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request, Response

from events.ids import AccountId, MediaId, is_id, millis
from rest import resources
from rest.openapi import answers, revalidated
from rest.problems import ProblemError
from rest.route_problems import problems
from rest.routing import Anyone, MediaInPath, SignedIn, not_a_word, router, tagged
from rest.times import rfc3339
from stores.media import Medium
from stores.readers import Readers

from ..serving import Querying, Reading, account_of, reads

KEPT_S = 1800
"""How long a client may cache a redirect: links are valid for at least an hour."""

media = router("Media")
media_files = router("Media", prefix="")


async def _medium(readers: Readers, id_: str, owner: AccountId | None = None) -> Medium:
    """Return the medium; if `owner` is given, only the owner's. Raises a 404, a 410."""
    found = await readers.media.by_id(MediaId(id_)) if is_id(id_) else None
    if found is None or (owner is not None and found.owner != owner):
        raise ProblemError("not-found", f"there is no medium {id_}")
    if found.deleted:
        raise ProblemError("gone", f"medium {id_} was deleted")
    return found


async def _is_hidden(readers: Readers, medium: Medium) -> bool:
    """Return whether all tweets that showed a medium are deleted and its owner's profile does not show it."""
    uses = await readers.media.used_in(medium.id)
    if not uses:
        return False
    tweets = await readers.tweets.by_ids(uses)
    if any((tweet := tweets.get(id_)) is None or not tweet.deleted for id_ in uses):
        return False
    owner = (await readers.users.by_ids((medium.owner,))).get(medium.owner)
    return owner is None or medium.id not in (owner.avatar, owner.header)


def shown(medium: Medium) -> resources.Medium:
    """Return a medium as an API resource."""
    variants = []
    if medium.object is not None and medium.size is not None:
        variants.append(
            resources.Variant(
                "original",
                resources.medium_url(medium.id),
                medium.content_type,
                medium.size,
                medium.width,
                medium.height,
            )
        )
    return resources.Medium(
        medium.id,
        "ready" if variants else "waiting",
        medium.content_type,
        medium.alt,
        rfc3339(millis(medium.id)),
        variants,
    )


@media.get("/media/{id}", response_model=None)
@answers(resources.Medium)
@revalidated
@problems("not-found", "gone", "method-not-allowed")
@reads("media")
async def get_media(id: MediaInPath, request: Request, viewer: SignedIn, readers: Reading) -> Response:
    """Get a medium of yours: its state, and the addresses of its variants.

    Media of other accounts are shown in their tweets and profiles.
    """
    not_a_word(id, "uploads", "GET")
    return tagged(request, shown(await _medium(readers, id, viewer.account)))


@media_files.get(
    "/media/{id}/{variant}",
    status_code=302,
    response_class=Response,
    responses={
        302: {
            "description": "The file is at the `Location`, for at least an hour",
            "headers": {
                "Location": {"description": "A signed address", "required": True, "schema": {"type": "string"}},
                "Cache-Control": {"description": "How long to cache", "required": True, "schema": {"type": "string"}},
            },
        }
    },
)
@problems("not-found", "gone")
@reads("media", "tweets", "users")
async def get_media_file(
    id: MediaInPath,
    variant: Annotated[str, Path(description="As in `variants`", max_length=40, examples=["original"])],
    viewer: Anyone,
    queries: Querying,
    readers: Reading,
) -> Response:
    """Get the file of a medium.

    Everybody who knows its address can get it. Once all tweets that showed it are deleted, only its owner can.
    """
    medium = await _medium(readers, id)
    if medium.object is None or variant != "original":
        raise ProblemError("not-found", f"medium {id} has no variant {variant}")
    kept = f"public, max-age={KEPT_S}"
    if await _is_hidden(readers, medium):
        if account_of(viewer) != medium.owner:
            raise ProblemError("gone", f"the tweets that showed medium {id} were deleted")
        kept = "private, no-store"
    headers = {"location": queries.link(medium.object, queries.now()), "cache-control": kept}
    return Response(None, 302, headers)
