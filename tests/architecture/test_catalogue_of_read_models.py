"""The list of read models: each profile keeps and serves every one, by adapters that are found by its name."""

from __future__ import annotations

import dataclasses

import pytest

from projectors.catalogue import READ_MODELS, SAY_AS_OF, ProjectorEntry
from runtime.distributed.models import catalogue as distributed
from runtime.embedded import models as embedded
from stores.readers import Readers

PORTS = {field.name for field in dataclasses.fields(Readers)}
COMPOSED = {"snapshot", "shown_tweets", "home_feed", "public_timeline", "recommendations"}
"""Read ports that are no read model's own: they compose the rows of several."""

each = pytest.mark.parametrize("listed", READ_MODELS, ids=lambda listed: listed.projector.model)


@each
def test_a_read_model_is_kept_and_read_in_both_profiles(listed: ProjectorEntry) -> None:
    name = listed.projector.model
    [kept] = [one for one in embedded.GROUPS[listed.embedded] if one.name == name]
    there = distributed.declared(listed)
    assert kept.projector is listed.projector
    assert kept.declared.tables.version == listed.projector.version
    assert there.rows is not None
    assert (kept.declared.reader is None) == (there.reader is None)
    assert (kept.declared.reader is not None) == (name in PORTS)


@each
def test_a_read_model_is_rebuilt_and_verified_with_the_store_that_keeps_it(listed: ProjectorEntry) -> None:
    [store] = [store for store, groups in distributed.STORES.items() if listed.distributed in groups]
    compared = {**distributed.on_cassandra(), **distributed.on_postgres(), "counts": None}
    assert listed.projector.model in compared
    assert distributed.VERSIONS[listed.distributed][listed.projector.model] == listed.projector.version
    assert any(listed.distributed in groups for groups in distributed.WORKERS.values()), store


def test_every_read_port_is_a_read_models_or_composed_and_it_is_said_which_groups_fill_it() -> None:
    assert {listed.projector.model for listed in READ_MODELS} & PORTS == PORTS - COMPOSED
    assert set(distributed.GROUPS_OF) >= PORTS - {"snapshot"}
    assert {port for port in PORTS - {"snapshot"} if not distributed.GROUPS_OF[port]} == SAY_AS_OF & PORTS


def test_every_group_is_hosted_by_one_command_and_lands_in_one_store() -> None:
    hosted = [group for groups in distributed.WORKERS.values() for group in groups]
    assert sorted(hosted) == sorted(group for groups in distributed.STORES.values() for group in groups)
