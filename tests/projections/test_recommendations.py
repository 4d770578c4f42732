"""Recommended accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import log2

from hypothesis import given

from events.graph import AccountFollowed
from events.ids import AccountId, Millis
from stores.recommendations import MOST_FRIENDS, MOST_OF_EACH
from tests.community import Community
from tests.examples import at_most
from tests.histories import histories
from tests.projections.projected import Projected, projected


def recommended(models: Projected, account: AccountId, limit: int = 100) -> list[AccountId]:
    """Return all accounts that are recommended to an account, read page by page."""

    async def pages() -> list[AccountId]:
        found: list[AccountId] = []
        position = None
        while True:
            page = await models.readers.recommendations.for_account(account, position, limit)
            assert len(page.items) <= limit
            found += page.items
            position = page.next
            if position is None:
                return found

    return asyncio.run(pages())


def community_of(count: int, follows: Sequence[tuple[int, int]]) -> tuple[Community, list[AccountId]]:
    community = Community()
    accounts = [community.register() for _ in range(count)]
    for follower, followee in follows:
        community.follow(accounts[follower], accounts[followee])
    return community, accounts


def told(community: Community, account: AccountId, limit: int = 100) -> list[AccountId]:
    models = projected([community.records])
    found = recommended(models, account, limit)
    models.close()
    return found


def test_friends_of_friends_come_first_those_with_more_friends_in_common_before_others() -> None:
    # 0 follows 1 and 2; both follow 3, one follows 4; none of them follows 5, which has the most followers.
    follows = [(0, 1), (0, 2), (1, 3), (2, 3), (1, 4), (6, 5), (7, 5), (8, 5), (9, 5)]
    community, accounts = community_of(10, follows)

    assert told(community, accounts[0]) == [accounts[3], accounts[4], accounts[5]]


def test_a_star_needs_more_friends_in_common_than_a_potter() -> None:
    # 5 and 6 are followed by two friends each; 6 by four strangers as well.
    follows = [(0, 1), (0, 2), (0, 3), (0, 4), (1, 5), (2, 5), (3, 6), (4, 6), (7, 6), (8, 6), (9, 6), (10, 6)]
    community, accounts = community_of(11, follows)

    assert told(community, accounts[0])[:2] == [accounts[5], accounts[6]]


def test_who_follows_nobody_is_told_the_most_followed() -> None:
    community, accounts = community_of(5, [(1, 2), (3, 2), (1, 4)])

    assert told(community, accounts[0]) == [accounts[2], accounts[4]]


def test_in_an_empty_community_nobody_is_recommended() -> None:
    community, accounts = community_of(2, [])

    assert told(community, accounts[0]) == []


def test_only_the_newest_followees_of_only_the_newest_friends_count() -> None:
    many = max(MOST_FRIENDS, MOST_OF_EACH)
    friend, old, new = many + 1, 2 * many + 2, 2 * many + 3
    community = Community()
    accounts = [community.register() for _ in range(2 * many + 4)]
    for followee in (old, *range(2, many + 1), new):
        community.now = Millis(community.now + 1)
        community.tell(AccountFollowed(follower=accounts[friend], followee=accounts[followee]), accounts[friend])
    community.tell(AccountFollowed(follower=accounts[0], followee=accounts[friend]), accounts[0])
    models = projected([community.records])
    found = recommended(models, accounts[0])
    models.close()

    # No followee follows `old` any more, but it is still among the most followed, behind the followees' followees.
    assert found[-1] == accounts[old]
    assert accounts[new] in found[:-1]


@at_most(40)
@given(histories(accounts=4, most=80))
def test_recommendations_are_what_the_definition_says(community: Community) -> None:
    models = projected([community.records])
    followees: dict[AccountId, set[AccountId]] = {a: set() for a in community.accounts}
    for follower, followee in community.follows:
        followees[follower].add(followee)
    followers = {a: sum(a in of for of in followees.values()) for a in community.accounts}
    for viewer in community.accounts:

        def possible(other: AccountId, viewer: AccountId = viewer) -> bool:
            barred = community.hidden(viewer, other) or (viewer, other) in community.mutes
            return other != viewer and other not in followees[viewer] and not barred

        common = {a: sum(a in followees[friend] for friend in followees[viewer]) for a in community.accounts}
        near = {a: n / log2(2 + followers[a]) for a, n in common.items() if n and possible(a)}
        far = {a: followers[a] for a in community.accounts if followers[a] and a not in near and possible(a)}
        found = recommended(models, viewer, 2)

        assert len(found) == len(set(found))
        assert set(found[: len(near)]) == set(near)
        assert set(found[len(near) :]) == set(far)
        assert [near[a] for a in found[: len(near)]] == sorted(near.values(), reverse=True)
        assert [far[a] for a in found[len(near) :]] == sorted(far.values(), reverse=True)
    models.close()
