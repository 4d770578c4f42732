"""What is known of the groups of the distributed profile without running them."""

from typing import Any, cast

import pytest

from events.codec import Codec
from events.log import Positions
from events.sealing import MasterKeys, Sealer
from runtime.distributed import groups
from runtime.distributed.groups import COUNTS, SEARCH, STREAMS, TIMELINES, TOPICS
from runtime.distributed.reached import groups_of
from runtime.processing import Group
from stores.postgres.database import Database

NOBODY = cast(Any, object())
"""A client that is not asked anything while a group is put together."""


async def _ends() -> Positions:
    return Positions()


def group(name: str) -> Group:
    if name == TIMELINES:
        return groups.timelines(NOBODY, "keyspace")
    if name == COUNTS:
        return groups.counts(NOBODY, "", 4, _ends)
    if name == SEARCH:
        return groups.search(Database("postgresql://nowhere/"))
    return groups.streams(NOBODY, "keyspace", NOBODY, Codec(Sealer(MasterKeys.generate())))


@pytest.mark.parametrize("name", [TIMELINES, COUNTS, SEARCH, STREAMS])
def test_the_topics_that_readers_wait_for_are_those_that_a_group_reads(name: str) -> None:
    assert group(name).topics == TOPICS[name]


@pytest.mark.parametrize(
    ("path", "groups_read"),
    [
        ("/api/v1/feed", {"home", "timelines", "counts"}),
        ("/api/v1/search/tweets", {"search", "timelines", "counts"}),
        ("/api/v1/notifications/unread-count", {"streams", "timelines", "counts"}),
        ("/api/v1/users/ada", {"timelines", "counts"}),
        ("/api/v1/trends", set()),
    ],
)
def test_a_route_waits_for_what_it_reads_from(path: str, groups_read: set[str]) -> None:
    assert set(groups_of(path)) == groups_read
