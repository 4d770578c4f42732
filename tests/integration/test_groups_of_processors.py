"""What is known of the groups of the distributed profile without running them."""

import re
from collections.abc import Callable
from importlib import import_module
from inspect import getsource
from typing import Any, cast

import pytest

from events.codec import Codec
from events.log import Positions
from events.sealing import MasterKeys, Sealer
from projectors import catalogue
from query_api.routes.feeds import get_feed
from query_api.routes.notifications import get_notifications
from query_api.routes.search import search_tweets
from query_api.routes.trends import get_trends
from query_api.routes.users import get_me, get_user
from rest.route_problems import reads_of
from runtime.distributed.consistency.position_sources import groups_of
from runtime.distributed.models import groups
from runtime.distributed.models.catalogue import TOPICS, on_cassandra
from runtime.processor_group import Group
from stores.cassandra import home_timelines
from stores.groups import COUNTS, SEARCH, STREAMS, TIMELINES
from stores.postgres.database import Database
from stores.readers import READ_PORTS, models_of

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


@pytest.mark.parametrize("port", sorted(READ_PORTS))
def test_reads_wait_for_the_groups_of_every_port_but_of_those_that_say_as_of(port: str) -> None:
    assert bool(groups_of((port,))) == (port not in catalogue.SAY_AS_OF)


def test_every_read_model_that_a_port_reads_is_a_projectors() -> None:
    assert {model for port in READ_PORTS for model in models_of(port)} <= {each.model for each in catalogue.ALL}


@pytest.mark.parametrize("model", on_cassandra())
def test_an_adapter_on_cassandra_reads_no_table_of_another_model(model: str) -> None:
    """What a port reads is declared as read models (stores/readers.py): a join would wait for too few groups."""
    read = set(re.findall(r"FROM \{\w+\}\.(\w+)", getsource(import_module(f"stores.cassandra.{model}"))))
    others = {table for name, other in on_cassandra().items() if name != model for table in other.tables}
    assert read.isdisjoint(others)


def test_home_timelines_on_cassandra_read_their_own_tables_and_those_that_the_port_declares() -> None:
    read = set(re.findall(r"FROM \{\w+\}\.(\w+)", getsource(home_timelines)))
    declared = {table for model in models_of("home_feed") for table in on_cassandra()[model].tables}
    others = {table for table in read if not table.startswith(("home_", "fan_out_"))}
    assert others
    assert others <= declared


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
