"""Reading accounts: /users/me, /users/{username}, their lists and timelines.

A block hides two accounts from each other, in different ways. The blocked account gets a 404, so that it does not learn
of the block. The blocking account gets the profile with `viewer.blocking`, to be able to remove the block, but neither
tweets nor likes.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Query, Request, Response

from events.ids import AccountId
from rest import resources
from rest.authentication import Viewer
from rest.openapi import answers, revalidated
from rest.problems import ProblemError
from rest.route_problems import problems
from rest.routing import Anyone, Flag, NameInPath, Page, Paged, SignedIn, page_response, router, tagged
from stores.readers import Readers

from .. import feeds, people
from ..serving import PEOPLE, Querying, Reading, account_of, reads

users = router("Users and the graph")


async def shown_account(readers: Readers, viewer: Viewer | None, username: str) -> people.Person:
    """Return the account with a name. Raises a 404 if there is none, or if it blocks the viewer."""
    with readers.snapshot():
        user = await readers.users.named(username)
        if user is not None:
            found = await people.people(readers, account_of(viewer), (user.id,))
            if found and not found[0].relation.blocked_by:
                return found[0]
    raise ProblemError("not-found", f"there is no account {username}")


@users.get("/users/me", response_model=None)
@answers(resources.Me)
@revalidated
@problems("not-found")
@reads("users", "counts")
async def get_me(request: Request, viewer: SignedIn, readers: Reading) -> Response:
    """Get your own profile."""
    with readers.snapshot():
        found = await people.own_profile(readers, viewer.account)
    if found is None:
        raise ProblemError("not-found", "your account is not here yet; send the Consistency-Token of its registration")
    return tagged(request, *found)


@users.get("/users/me/blocks", response_model=None)
@answers(Page[resources.User])
@reads(*PEOPLE)
async def get_blocks(request: Request, viewer: SignedIn, page: Paged, queries: Querying, readers: Reading) -> Response:
    """List the accounts that you block, newest block first."""
    of = f"blocks {viewer.account}"
    fetch = partial(readers.graph.blocks, viewer.account)
    found = await people.kept(readers, viewer.account, fetch, page.after(queries.cursors, of), page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)


@users.get("/users/me/mutes", response_model=None)
@answers(Page[resources.User])
@reads(*PEOPLE)
async def get_mutes(request: Request, viewer: SignedIn, page: Paged, queries: Querying, readers: Reading) -> Response:
    """List the accounts that you mute, newest mute first."""
    of = f"mutes {viewer.account}"
    fetch = partial(readers.graph.mutes, viewer.account)
    found = await people.kept(readers, viewer.account, fetch, page.after(queries.cursors, of), page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)


@users.get("/users/{username}", response_model=None)
@answers(resources.User)
@revalidated
@problems("not-found")
@reads(*PEOPLE)
async def get_user(username: NameInPath, request: Request, viewer: Anyone, readers: Reading) -> Response:
    """Get a profile.

    404 if the account blocks you. If you block the account, `viewer.blocking` is true.
    """
    return tagged(request, (await shown_account(readers, viewer, username)).user)


@users.get("/users/{username}/followers", response_model=None)
@answers(Page[resources.User])
@problems("not-found")
@reads(*PEOPLE)
async def get_followers(
    username: NameInPath, request: Request, viewer: Anyone, page: Paged, queries: Querying, readers: Reading
) -> Response:
    """List an account's followers, newest first."""
    account = AccountId((await shown_account(readers, viewer, username)).user.id)
    of = f"followers {account}"
    fetch = partial(readers.graph.followers, account)
    found = await people.listed(readers, account_of(viewer), fetch, page.after(queries.cursors, of), page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)


@users.get("/users/{username}/following", response_model=None)
@answers(Page[resources.User])
@problems("not-found")
@reads(*PEOPLE)
async def get_following(
    username: NameInPath, request: Request, viewer: Anyone, page: Paged, queries: Querying, readers: Reading
) -> Response:
    """List the accounts that an account follows, newest first."""
    account = AccountId((await shown_account(readers, viewer, username)).user.id)
    of = f"following {account}"
    fetch = partial(readers.graph.following, account)
    found = await people.listed(readers, account_of(viewer), fetch, page.after(queries.cursors, of), page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)


@users.get("/users/{username}/tweets", response_model=None)
@answers(Page[resources.FeedItem])
@problems("not-found")
@reads("user_timelines", "shown_tweets", *PEOPLE)
async def get_user_timeline(
    username: NameInPath,
    request: Request,
    viewer: Anyone,
    page: Paged,
    queries: Querying,
    readers: Reading,
    replies: Annotated[Flag, Query(description="Include replies to other accounts")] = False,
) -> Response:
    """List an account's posts and retweets, newest first.

    Its replies to other accounts are listed only with `replies`.
    """
    person = await shown_account(readers, viewer, username)
    account = AccountId(person.user.id)
    of = f"timeline {account} {replies}"
    after = page.after(queries.cursors, of)
    if person.hidden:
        return page_response(request, (), queries.cursors, of, None)
    found = await feeds.user_timeline(readers, account_of(viewer), account, replies, after, page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)


@users.get("/users/{username}/likes", response_model=None)
@answers(Page[resources.Tweet])
@problems("not-found")
@reads("engagement", "shown_tweets", *PEOPLE)
async def get_likes(
    username: NameInPath, request: Request, viewer: Anyone, page: Paged, queries: Querying, readers: Reading
) -> Response:
    """List the tweets that an account likes, newest like first."""
    person = await shown_account(readers, viewer, username)
    account = AccountId(person.user.id)
    of = f"likes {account}"
    after = page.after(queries.cursors, of)
    if person.hidden:
        return page_response(request, (), queries.cursors, of, None)
    found = await feeds.likes(readers, account_of(viewer), account, after, page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)
