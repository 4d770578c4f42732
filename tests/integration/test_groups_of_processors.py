"""What is known of the groups of the distributed profile without running them."""

from collections.abc import Callable
from typing import Any, cast, get_args

import pytest

from events.codec import Codec
from events.log import Positions
from events.sealing import MasterKeys, Sealer
from query_api.routes.feeds import get_feed
from query_api.routes.notifications import get_notifications
from query_api.routes.search import search_tweets
from query_api.routes.trends import get_trends
from query_api.routes.users import get_me, get_user
from query_api.serving import Port, reads_of
from runtime.distributed.consistency.position_sources import groups_of
from runtime.distributed.models import groups
from runtime.distributed.models.catalogue import GROUPS_OF, TOPICS
from runtime.processor_group import Group
from stores.groups import COUNTS, SEARCH, STREAMS, TIMELINES
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


def test_every_read_port_has_its_groups() -> None:
    assert set(GROUPS_OF) == set(get_args(Port))


@pytest.mark.parametrize(
    ("route", "groups_read"),
    [
        (get_feed, {"home", "timelines", "counts"}),
        (search_tweets, {"search", "timelines", "counts"}),
        (get_notifications, {"streams", "timelines", "counts"}),
        (get_user, {"timelines", "counts"}),
        (get_me, {"timelines", "counts"}),
        (get_trends, set()),
    ],
)
def test_a_route_waits_for_what_it_reads_from(route: Callable[..., Any], groups_read: set[str]) -> None:
    assert set(groups_of(reads_of(route))) == groups_read
