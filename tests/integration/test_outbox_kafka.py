"""The outbox and the relay with Kafka behind them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from command_api.postgres.tokens import OutboxTokens
from events.kafka.producing import KafkaPublisher
from events.kafka.topics import apply
from events.log import Positions
from tests.contracts.commands import ALICE, BOB, follow, post, settle
from tests.on_kafka import PATIENCE_S, admin_of, delete_topics, headers_of, own_prefix, place_of, raw
from tests.on_postgres import World, a_world, relaying

pytestmark = pytest.mark.engines

TOPICS = {"accounts": 2, "tweets": 2, "graph": 2}


@pytest.fixture
async def prefix(kafka: str) -> AsyncIterator[str]:
    name = own_prefix()
    await apply(admin_of(kafka), TOPICS, partitions=2, prefix=name)
    yield name
    await delete_topics(kafka, [name + topic for topic in TOPICS])


@pytest.fixture
async def world(postgres: str, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(postgres, tmp_path) as made:
        yield made


async def test_decided_events_are_in_kafka_in_order_whether_or_not_it_was_available(
    kafka: str, prefix: str, world: World
) -> None:
    there = KafkaPublisher(kafka, TOPICS, prefix=prefix, ack_s=PATIENCE_S)
    unavailable = KafkaPublisher("127.0.0.1:1", TOPICS, prefix=prefix, ack_s=0.2)
    system = world.process(publisher=there, bound_s=PATIENCE_S)
    cut_off = world.process(publisher=unavailable)
    await settle(system)
    outcomes = [await post(system)[1], await follow(system)]
    assert not any(outcome.token.rows for outcome in outcomes)
    late = [await post(one, author)[1] for one in (cut_off, system) for author in (ALICE, BOB, ALICE)]
    assert all(outcome.token.rows for outcome in late)

    async def ends() -> Positions:
        return Positions()

    async with relaying(world.url, there):
        settled = [await OutboxTokens(system.pool, ends).positions(outcome.token, PATIENCE_S) for outcome in late]
        await world.drained()
    found = await asyncio.to_thread(raw, kafka, {prefix + topic: partitions for topic, partitions in TOPICS.items()})
    places = {place_of(m, prefix) for m in found}
    assert {str(outcome.token.positions) for outcome in outcomes} | set(map(str, settled)) <= places
    for author in (ALICE, BOB):
        of_one = [m for m in found if m.key() == author.encode() and m.topic() == f"{prefix}tweets"]
        ids = [headers_of(m)["ce_id"] for m in of_one]
        decided = system.select(f"SELECT id FROM outbox WHERE topic='tweets' AND key='{author}' ORDER BY number")
        assert ids == [id_.encode() for (id_,) in decided]
    await there.close()
    await unavailable.close()
