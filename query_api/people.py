"""Accounts as they are sent: profiles with their counters, and how the viewer stands to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import NamedTuple

from events.ids import AccountId
from rest import resources
from rest.times import rfc3339
from stores.counts import NO_ACCOUNT_COUNTS, AccountCounts
from stores.graph import STRANGERS, Relation
from stores.pages import Page
from stores.readers import Readers
from stores.users import User

from .filling import fill

ListAccounts = Callable[[str | None, int], Awaitable[Page[AccountId]]]


class Person(NamedTuple):
    """An account as it is sent, and how the viewer stands to it."""

    user: resources.User
    relation: Relation

    @property
    def hidden(self) -> bool:
        """Whether a block stands between the two."""
        return self.relation.blocking or self.relation.blocked_by


async def people(readers: Readers, viewer: AccountId | None, accounts: Collection[AccountId]) -> list[Person]:
    """The accounts in the order asked for, less those that there are not."""
    users = await readers.users.by_ids(accounts)
    counts = await readers.counts.of_accounts(accounts)
    relations = {} if viewer is None else await readers.graph.relations(viewer, accounts)
    found = []
    for id_ in accounts:
        user = users.get(id_)
        if user is not None:
            relation = relations.get(id_, STRANGERS)
            seen_by = None if viewer is None or viewer == id_ else relation
            found.append(Person(profile(user, counts.get(id_, NO_ACCOUNT_COUNTS), seen_by), relation))
    return found


def profile(user: User, counts: AccountCounts, relation: Relation | None) -> resources.User:
    """A profile; `relation` is the viewer's, None for those not signed in and for one's own."""
    return resources.User(
        user.id,
        user.username,
        user.display_name,
        user.bio,
        user.location,
        user.website,
        rfc3339(user.created_at),
        counts.followers,
        counts.following,
        counts.tweets,
        viewer=None if relation is None else viewer_of(relation),
        avatar_url=resources.picture_url(user.avatar),
        header_url=resources.picture_url(user.header),
    )


def viewer_of(relation: Relation) -> resources.UserViewer:
    """What the viewer is told of a relation: not that they are blocked."""
    return resources.UserViewer(relation.following, relation.followed_by, relation.blocking, relation.muting)


async def own_profile(readers: Readers, account: AccountId) -> tuple[resources.Me, int] | None:
    """One's own profile and its version; None while the account has not come out of the log yet."""
    user = (await readers.users.by_ids((account,))).get(account)
    if user is None:
        return None
    counts = (await readers.counts.of_accounts((account,))).get(account, NO_ACCOUNT_COUNTS)
    me = resources.Me(
        user.id,
        user.username,
        user.display_name,
        user.bio,
        user.location,
        user.website,
        rfc3339(user.created_at),
        counts.followers,
        counts.following,
        counts.tweets,
        feed=user.feed,
        avatar_url=resources.picture_url(user.avatar),
        header_url=resources.picture_url(user.header),
        avatar_media_id=user.avatar,
        header_media_id=user.header,
    )
    return me, user.version


async def listed(
    readers: Readers, viewer: AccountId | None, page: ListAccounts, before: str | None, limit: int
) -> Page[resources.User]:
    """A list of accounts, less those behind a block."""

    async def show(accounts: list[AccountId]) -> list[resources.User]:
        return [person.user for person in await people(readers, viewer, accounts) if not person.hidden]

    with readers.snapshot():
        return await fill(page, show, before, limit)


async def kept(
    readers: Readers, owner: AccountId, page: ListAccounts, before: str | None, limit: int
) -> Page[resources.User]:
    """A list of accounts that its owner made by hand: blocked ones are shown to the one who blocks them."""

    async def show(accounts: list[AccountId]) -> list[resources.User]:
        return [person.user for person in await people(readers, owner, accounts)]

    with readers.snapshot():
        return await fill(page, show, before, limit)
