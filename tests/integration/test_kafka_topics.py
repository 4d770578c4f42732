"""Topics on a real Kafka: created as they have to be, and refused where they are not."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import yaml
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from events.kafka.topics import WrongTopics, apply, check, partitions_of
from events.log import LogUnavailable
from events.topics import ON_KAFKA, TOPICS
from schemas.wiring import ROOT
from tests.on_kafka import PATIENCE_S, admin_of, delete_topics, own_prefix

pytestmark = pytest.mark.engines


@pytest.fixture
def admin(kafka: str) -> AdminClient:
    return admin_of(kafka)


@pytest.fixture
async def prefix(kafka: str, admin: AdminClient) -> AsyncIterator[str]:
    name = own_prefix()
    yield name
    there = (await asyncio.to_thread(admin.list_topics, timeout=PATIENCE_S)).topics
    left = [topic for topic in there if topic.startswith(name)]
    if left:
        await delete_topics(kafka, left)


async def settings_of(admin: AdminClient, name: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, name)
    described = await asyncio.wrap_future(admin.describe_configs([resource])[resource])
    return {setting: entry.value for setting, entry in described.items()}


async def make(admin: AdminClient, name: str, partitions: int) -> None:
    await asyncio.wrap_future(admin.create_topics([NewTopic(name, num_partitions=partitions)])[name])
    deadline = time.monotonic() + PATIENCE_S
    while True:  # brokers hear of it from the controller
        if name in (await asyncio.to_thread(admin.list_topics, timeout=PATIENCE_S)).topics:
            return
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_missing_topics_are_refused_and_then_created(admin: AdminClient, prefix: str) -> None:
    with pytest.raises(WrongTopics, match=f"topic {prefix}graph is missing.*minitwitter topics apply") as refused:
        await check(admin, prefix=prefix, partitions=4)
    assert len(refused.value.problems) == len(ON_KAFKA)
    applied = await apply(admin, prefix=prefix, partitions=4)
    assert applied == (sorted(prefix + name for name in ON_KAFKA), [])
    assert await check(admin, prefix=prefix, partitions=4) == partitions_of(ON_KAFKA, partitions=4)


async def test_topics_are_what_their_files_say(admin: AdminClient, prefix: str) -> None:
    await apply(admin, prefix=prefix)
    for name in TOPICS:
        written = yaml.safe_load((ROOT / "schemas" / "topics" / f"{name}.yaml").read_text())
        has = await settings_of(admin, prefix + name)
        assert {setting: has[setting] for setting in written["kafka"]} == written["kafka"]
        topic = (await asyncio.to_thread(admin.list_topics, timeout=PATIENCE_S)).topics[prefix + name]
        assert len(topic.partitions) == written["partitions"]["distributed"]


async def test_what_is_there_already_is_left_alone(admin: AdminClient, prefix: str) -> None:
    await apply(admin, ["graph"], prefix=prefix, partitions=4)
    assert await apply(admin, ["graph", "tweets"], prefix=prefix, partitions=4) == ([f"{prefix}tweets"], [])
    assert await apply(admin, ["graph", "tweets"], prefix=prefix, partitions=4) == ([], [])


async def test_two_who_create_the_topics_at_once_both_find_them_right(
    admin: AdminClient, kafka: str, prefix: str
) -> None:
    both = await asyncio.gather(*(apply(admin_of(kafka), prefix=prefix, partitions=4) for _ in range(2)))
    assert sorted(name for applied in both for name in applied.created) == sorted(prefix + name for name in ON_KAFKA)
    await check(admin, prefix=prefix, partitions=4)


async def test_another_number_of_partitions_is_refused_and_nothing_is_created(admin: AdminClient, prefix: str) -> None:
    await make(admin, f"{prefix}graph", 3)
    for work in (apply, check):
        with pytest.raises(WrongTopics, match=f"topic {prefix}graph has 3 partitions, and it must have 4"):
            await work(admin, ["graph", "tweets"], prefix=prefix, partitions=4)
    assert f"{prefix}tweets" not in (await asyncio.to_thread(admin.list_topics, timeout=PATIENCE_S)).topics


async def test_a_setting_that_would_lose_events_is_refused_and_then_put_right(admin: AdminClient, prefix: str) -> None:
    await make(admin, f"{prefix}graph", 4)
    await apply(admin, ["graph"], prefix=prefix, partitions=4)
    week = ConfigEntry("retention.ms", "604800000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, f"{prefix}graph", incremental_configs=[week])
    await asyncio.gather(*map(asyncio.wrap_future, admin.incremental_alter_configs([resource]).values()))
    async with asyncio.timeout(PATIENCE_S):  # brokers hear of it from the controller
        while True:
            if (await settings_of(admin, f"{prefix}graph"))["retention.ms"] == "604800000":
                break
            await asyncio.sleep(0.05)
    with pytest.raises(WrongTopics, match=r"has retention\.ms=604800000, and it must be -1"):
        await check(admin, ["graph"], prefix=prefix, partitions=4)
    assert (await apply(admin, ["graph"], prefix=prefix, partitions=4)).changed == [f"{prefix}graph"]
    assert (await settings_of(admin, f"{prefix}graph"))["retention.ms"] == "-1"
    await check(admin, ["graph"], prefix=prefix, partitions=4)


async def test_where_no_kafka_answers_that_is_what_is_said() -> None:
    nobody = admin_of("127.0.0.1:1")
    for work in (apply, check):
        with pytest.raises(LogUnavailable):
            await work(nobody, reply_s=0.3)
