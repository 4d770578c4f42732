"""Cached tweets equal those of the read models if the cache receives every event, and differ if one is left out."""

from collections.abc import Collection
from functools import partial
from random import Random
from unittest.mock import Mock, patch

import pytest
from msgspec import StructMeta

from events.ids import AccountId
from runtime.distributed.models import caches
from runtime.distributed.models.caches import Memory, outdated
from stores.cached.viewers import RememberedBarriers, RememberedMarks
from stores.composed.shown_tweets import GatheredTweets
from stores.graph import Barriers, Unseen
from stores.groups import HOME, STREAMS, TIMELINES
from tests.community import ACTIONS, Community
from tests.projections.projected import Projected

OFTEN = ("post", "quote", "edit", "like", "block", "mute", "unmute", "unblock", "unlike", "delete", "bookmark")
TOLD = [(group, event) for group in (TIMELINES, STREAMS) for event in caches._KEYS[group]]


class Graph:
    """Who is behind what, of a community."""

    def __init__(self, community: Community) -> None:
        self.community = community

    async def barriers(self, accounts: Collection[AccountId]) -> dict[AccountId, Barriers]:
        blocks, mutes = self.community.blocks, self.community.mutes
        return {
            account: Barriers(
                frozenset(b for a, b in blocks if a == account), frozenset(b for a, b in mutes if a == account)
            )
            for account in accounts
        }

    async def unseen(self, viewer: AccountId, others: Collection[AccountId]) -> Unseen:
        raise AssertionError("nobody has so many barriers here")


async def differs(seed: int) -> bool:
    """Apply events and read now and then; return whether a read showed a stale tweet."""
    chance = Random(seed)
    community, models = Community(), Projected()
    for _ in range(4):
        community.register()
    readers, memory, applied = models.readers, Memory(Mock(spec_set=())), 0  # no feeds
    remembering = GatheredTweets(
        partial(memory.tweets.of, ask=readers.tweets.by_ids),
        partial(memory.cards.of, ask=readers.users.cards),
        partial(memory.scores.of, ask=readers.sentiment.scores),
        RememberedBarriers(memory.barriers, Graph(community)),
        readers.counts,
        RememberedMarks(memory.marks, readers.engagement),
    )
    try:
        for _ in range(150):
            community.act(chance.choice((*ACTIONS, *OFTEN)), *(chance.randrange(1_000) for _ in range(3)))
            records = community.records[applied:]
            applied += len(records)
            await models.apply(records)
            for group in (TIMELINES, STREAMS, HOME):
                memory.forget(group, set(outdated(group, records)))
            viewer = chance.choice((None, *community.accounts))
            if await remembering.of(viewer, list(community.tweets)) != await readers.shown_tweets.of(
                viewer, list(community.tweets)
            ):
                return True
        assert memory.tweets.missed < memory.tweets.asked / 4
        assert memory.marks.missed < memory.marks.asked / 2
        return False
    finally:
        models.close()


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_remembered_is_what_is_so(seed: int) -> None:
    assert not await differs(seed)


@pytest.mark.parametrize(("group", "event"), TOLD, ids=lambda value: getattr(value, "__name__", value))
async def test_an_event_that_nobody_tells_of_is_missed(group: str, event: StructMeta) -> None:
    """So each line of the list is needed, and the runs meet each of them."""
    names = {each: name for each, name in caches._KEYS[group].items() if each is not event}
    with patch.dict(caches._KEYS, {group: names}):
        for seed in range(20):
            if await differs(seed):
                return
    raise AssertionError("nobody noticed")
