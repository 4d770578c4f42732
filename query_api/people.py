"""Accounts as API resources: profiles with their counters, and their relation to the viewer."""

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
    """An account as an API resource, and its relation to the viewer."""

    user: resources.User
    relation: Relation

    @property
    def hidden(self) -> bool:
        """Whether there is a block between the account and the viewer, in either direction."""
        return self.relation.blocking or self.relation.blocked_by


async def people(readers: Readers, viewer: AccountId | None, accounts: Collection[AccountId]) -> list[Person]:
    """Return the accounts in the order given, without unknown ones."""
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
    """Return a profile. `relation` is the viewer's; None for the own profile and for viewers who are not signed in."""
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
        role=user.role,
        viewer=None if relation is None else viewer_of(relation),
        avatar_url=resources.picture_url(user.avatar),
        header_url=resources.picture_url(user.header),
    )


def viewer_of(relation: Relation) -> resources.UserViewer:
    """Return the part of a relation that the viewer may see. It does not show that the account blocks the viewer."""
    return resources.UserViewer(relation.following, relation.followed_by, relation.blocking, relation.muting)


async def own_profile(readers: Readers, account: AccountId) -> tuple[resources.Me, int] | None:
    """Return the account's own profile and its version; None if the read model has not applied its registration yet."""
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
        role=user.role,
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
    """Return a page of accounts, without those behind a block."""

    async def show(accounts: list[AccountId]) -> list[resources.User]:
        return [person.user for person in await people(readers, viewer, accounts) if not person.hidden]

    with readers.snapshot():
        return await fill(page, show, before, limit)


async def kept(
    readers: Readers, owner: AccountId, page: ListAccounts, before: str | None, limit: int
) -> Page[resources.User]:
    """Return a page of accounts that the owner chose by hand, blocked ones included."""

    async def show(accounts: list[AccountId]) -> list[resources.User]:
        return [person.user for person in await people(readers, owner, accounts)]

    with readers.snapshot():
        return await fill(page, show, before, limit)
