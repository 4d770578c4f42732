"""The topics on Kafka: create missing ones, correct their settings, and refuse a wrong number of partitions.

Their settings follow from events/topics.py. schemas/topics/*.yaml documents them and is generated from here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._metadata import TopicMetadata
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from ..log import LogUnavailable, NotSetUp
from ..topics import KEYS, ON_KAFKA, TOPICS, Topic, TopicKind

PARTITIONS = 16
"""Partitions of every topic in the distributed profile. The number never changes: a key's partition depends on it."""
COPIES = 3
"""Replicas of every partition, if there are as many brokers."""

_YEAR_MS = 365 * 24 * 3600 * 1000
_DAY_MS = 24 * 3600 * 1000
_COMPACTED = frozenset({"public-tweets", KEYS.name})
_COMPACTED_SOON = {
    "segment.ms": str(_DAY_MS // 24),
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": str(_DAY_MS),
}
"""Settings of `keys`: a replaced record disappears within a day, because it may hold a key that was destroyed since.
Kafka does not compact the segment that it writes to, and starts another with the first record after an hour. If
nothing else is published, a tick is that record."""
_SETTLES_S = 30.0
_ASK_AGAIN_S = 0.05


class WrongTopics(NotSetUp):
    """Topics are missing or have the wrong settings: nothing may be written to them or read from them."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class TopicChanges(NamedTuple):
    """The result of `apply`: the names of the topics that it created, and of those whose settings it corrected."""

    created: list[str]
    changed: list[str]


def settings(topic: Topic) -> dict[str, str]:
    """Return the settings of a topic, by Kafka's names, without `min.insync.replicas`, which depends on the brokers."""
    return {
        "cleanup.policy": "compact" if topic.name in _COMPACTED else "delete",
        "retention.ms": str(_YEAR_MS) if topic.kind is TopicKind.REPORTED else "-1",
        "retention.bytes": "-1",
        "max.message.bytes": "1048588",
        "message.timestamp.type": "CreateTime",
        "unclean.leader.election.enable": "false",
        **(_COMPACTED_SOON if topic is KEYS else {}),
    }


def partitions_of(topics: Iterable[str] = TOPICS, partitions: int = PARTITIONS) -> dict[str, int]:
    """Return the number of partitions of each topic, as publishers and readers take it."""
    return dict.fromkeys(topics, partitions)


def in_sync(copies: int) -> int:
    """Return how many replicas must have a record before it is acknowledged: all but one, so one may be down."""
    return max(1, copies - 1)


async def apply(
    admin: AdminClient,
    topics: Iterable[str] = ON_KAFKA,
    *,
    partitions: int = PARTITIONS,
    prefix: str = "",
    reply_s: float = 10.0,
) -> TopicChanges:
    """Create missing topics and correct the settings of the others. Several processes may do this at once.

    Raises WrongTopics if a topic has another number of partitions, LogUnavailable if Kafka does not answer in
    `reply_s`.
    """
    wanted = {prefix + name: ON_KAFKA[name] for name in topics}
    found, brokers = await _described(admin, wanted, reply_s)
    wrong = [_wrong_number(name, topic, partitions) for name, topic in found.items()]
    if any(wrong):
        raise WrongTopics(list(filter(None, wrong)))
    missing = [name for name in wanted if name not in found]
    copies = min(COPIES, brokers)
    created = await _create(admin, {name: wanted[name] for name in missing}, partitions, copies)
    found = await _settled(admin, wanted, partitions, reply_s)
    changed = await _put_right(admin, {name: wanted[name] for name in wanted if name not in created}, found)
    return TopicChanges(sorted(created), sorted(changed))


async def check(
    admin: AdminClient,
    topics: Iterable[str] = ON_KAFKA,
    *,
    partitions: int = PARTITIONS,
    prefix: str = "",
    reply_s: float = 10.0,
) -> dict[str, int]:
    """Check that the topics exist with the right settings. Return the number of partitions of each, by name without
    prefix.

    Raises WrongTopics, LogUnavailable.
    """
    wanted = {prefix + name: ON_KAFKA[name] for name in topics}
    found, _ = await _described(admin, wanted, reply_s)
    problems = [
        f"topic {name} is missing; create it with `minitwitter topics apply`" for name in wanted if name not in found
    ]
    problems += filter(None, (_wrong_number(name, topic, partitions) for name, topic in found.items()))
    there = {name: wanted[name] for name in found}
    for name, differing in (await _differing(admin, there, found)).items():
        problems += [
            f"topic {name} has {setting}={has}, and it must be {value}; correct it with `minitwitter topics apply`"
            for setting, (has, value) in differing.items()
        ]
    if problems:
        raise WrongTopics(problems)
    return {topic.name: partitions for topic in wanted.values()}


def _wrong_number(name: str, topic: TopicMetadata, partitions: int) -> str | None:
    if len(topic.partitions) == partitions:
        return None
    return (
        f"topic {name} has {len(topic.partitions)} partitions, and it must have {partitions}: the number never"
        " changes, because a key's partition depends on it; restore the topic, or start with another prefix"
    )


async def _described(admin: AdminClient, names: Iterable[str], reply_s: float) -> tuple[dict[str, TopicMetadata], int]:
    """Return the topics that exist, and the number of brokers."""
    try:
        cluster = await asyncio.to_thread(admin.list_topics, timeout=reply_s)
    except KafkaException as error:
        raise LogUnavailable(f"Kafka does not list its topics: {error.args[0].str()}") from None
    there = {name: cluster.topics[name] for name in names if name in cluster.topics}
    return {name: topic for name, topic in there.items() if topic.partitions}, len(cluster.brokers)


async def _create(admin: AdminClient, missing: Mapping[str, Topic], partitions: int, copies: int) -> list[str]:
    """Create topics. Return the names without those that another process created first."""
    if not missing:
        return []
    new = [
        NewTopic(
            name,
            num_partitions=partitions,
            replication_factor=copies,
            config=settings(topic) | {"min.insync.replicas": str(in_sync(copies))},
        )
        for name, topic in missing.items()
    ]
    created = []
    for name, future in admin.create_topics(new, operation_timeout=_SETTLES_S).items():
        if await _answer(future, KafkaError.TOPIC_ALREADY_EXISTS):
            created.append(name)
    return created


async def _settled(
    admin: AdminClient, names: Iterable[str], partitions: int, reply_s: float
) -> dict[str, TopicMetadata]:
    """Wait until all partitions of the topics have leaders. Raises WrongTopics, LogUnavailable."""
    wanted, deadline = list(names), time.monotonic() + _SETTLES_S
    while True:
        found, _ = await _described(admin, wanted, reply_s)
        wrong = [_wrong_number(name, topic, partitions) for name, topic in found.items()]
        if any(wrong):
            raise WrongTopics(list(filter(None, wrong)))
        led = [name for name, topic in found.items() if all(p.leader >= 0 for p in topic.partitions.values())]
        if len(led) == len(wanted):
            return found
        if time.monotonic() > deadline:
            without = ", ".join(sorted(set(wanted) - set(led)))
            raise LogUnavailable(f"after {_SETTLES_S:g} s there is no leader for {without}")
        await asyncio.sleep(_ASK_AGAIN_S)


async def _put_right(admin: AdminClient, topics: Mapping[str, Topic], found: Mapping[str, TopicMetadata]) -> list[str]:
    """Correct the settings that differ. Return the names of the changed topics."""
    wrong = await _differing(admin, topics, found)
    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            name,
            incremental_configs=[
                ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
                for setting, (_, value) in differing.items()
            ],
        )
        for name, differing in wrong.items()
    ]
    if resources:
        for future in admin.incremental_alter_configs(resources).values():
            await _answer(future)
        await _until_right(admin, {name: topics[name] for name in wrong}, found)
    return list(wrong)


async def _until_right(admin: AdminClient, topics: Mapping[str, Topic], found: Mapping[str, TopicMetadata]) -> None:
    """Wait until the brokers show the settings: they hear of a change from the controller, after it is acknowledged.

    Raises LogUnavailable.
    """
    deadline = time.monotonic() + _SETTLES_S
    while wrong := await _differing(admin, topics, found):
        if time.monotonic() > deadline:
            raise LogUnavailable(f"after {_SETTLES_S:g} s the settings of {', '.join(sorted(wrong))} are the old ones")
        await asyncio.sleep(_ASK_AGAIN_S)


async def _differing(
    admin: AdminClient, topics: Mapping[str, Topic], found: Mapping[str, TopicMetadata]
) -> dict[str, dict[str, tuple[str, str]]]:
    """Return, for each topic with a wrong setting: the setting, its value, and the value it must have."""
    if not topics:
        return {}
    asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in topics])
    wrong: dict[str, dict[str, tuple[str, str]]] = {}
    for resource, future in asked.items():
        has = await _answer(future)
        copies = min(len(partition.replicas) for partition in found[resource.name].partitions.values())
        wanted = settings(topics[resource.name]) | {"min.insync.replicas": str(in_sync(copies))}
        differing = {
            setting: (str(has[setting].value), value)
            for setting, value in wanted.items()
            if has[setting].value != value
        }
        if differing:
            wrong[resource.name] = differing
    return wrong


async def _answer(future: Future[Any], harmless: int | None = None) -> Any:
    """Await a future of the client. Return None for the harmless error, True if the answer is empty."""
    try:
        answer = await asyncio.wrap_future(future)
    except KafkaException as error:
        if error.args[0].code() == harmless:
            return None
        raise LogUnavailable(f"Kafka did not apply the change: {error.args[0].str()}") from None
    return True if answer is None else answer
