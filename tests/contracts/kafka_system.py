"""The Kafka log for contract suites: topics of their own on a real broker, with keys in SQLite."""

import asyncio
import random
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from confluent_kafka import Producer

from events.codec import Codec
from events.event import BY_NAME
from events.ids import HybridClock, from_bytes
from events.kafka.log import KafkaLog, KafkaLogReader
from events.kafka.producing import KafkaPublisher
from events.kafka.topics import apply, check
from events.log import LogUnavailable, Positions
from events.publishing import Outgoing
from events.sealing import MasterKeys, Sealer
from events.sqlite.connection import connect
from events.sqlite.keys import KEYS_DDL, SqliteKeys
from events.topics import LOGGED
from runtime.distributed.log_inspection import LookingAtKafka
from tests.contracts.embedded import Clock
from tests.on_kafka import PATIENCE_S, admin_of, delete_topics, own_prefix, raw

T = TypeVar("T")


class Keys:
    """The Keys port over SQLite."""

    def __init__(self, path: Path, masters: MasterKeys) -> None:
        self.connection = connect(path, durable=True)
        self.connection.execute(KEYS_DDL)
        self.sealer = Sealer(masters)
        self._keys = SqliteKeys(self.connection, self.sealer)

    async def fetch(self, subjects: Iterable[str]) -> None:
        self._keys.fetch(subjects)

    async def create(self, subject: str) -> None:
        self._keys.create(subject)


class Way:
    """The connection to Kafka, in the role of a disk: a test can hold publishing, or make it fail."""

    def __init__(self, publisher: KafkaPublisher) -> None:
        self.publisher = publisher
        self.failure: Exception | None = None
        self._open = asyncio.Event()
        self._open.set()
        self.waiting = asyncio.Event()

    def hold(self) -> None:
        self._open.clear()
        self.waiting.clear()

    def release(self) -> None:
        self._open.set()

    async def publish(self, records: Sequence[Outgoing]) -> Positions:
        self.waiting.set()
        await self._open.wait()
        if self.failure is not None:
            raise LogUnavailable(str(self.failure))
        return await self.publisher.publish(records)


class KafkaSystem:
    """Topics of one test. An account's key is durable before its first event is in the log."""

    keys_come_with_the_log = False

    def __init__(self, directory: Path, *, servers: str, partitions: int = 1) -> None:
        directory.mkdir(exist_ok=True)
        self.servers, self.partitions = servers, partitions
        self.prefix = own_prefix()
        self.clock = Clock()
        self.ids = HybridClock(self.clock, random.Random(7).randbytes)
        self._path = directory / "keys.db"
        self._masters = MasterKeys.generate()
        self._beside: list[tuple[KafkaLogReader, Keys]] = []
        self.topics = _at_once(self._create())
        self.open()

    async def _create(self) -> dict[str, int]:
        admin = admin_of(self.servers)
        await apply(admin, LOGGED, partitions=self.partitions, prefix=self.prefix)
        return await check(admin, LOGGED, partitions=self.partitions, prefix=self.prefix)

    def open(self) -> None:
        self.keys = Keys(self._path, self._masters)
        self.publisher = KafkaPublisher(self.servers, self.topics, prefix=self.prefix, ack_s=PATIENCE_S)
        self.disk = Way(self.publisher)
        codec = Codec(self.keys.sealer)
        self.log = KafkaLog(self.servers, self.topics, codec, self.keys, self.disk, prefix=self.prefix)

    async def restart(self) -> None:
        await self._stop()
        self.ids = HybridClock(self.clock, random.Random(8).randbytes)
        self.open()

    async def _stop(self) -> None:
        await self.publisher.close()
        for reader, keys in ((self.log, self.keys), *self._beside):
            await reader.close()
            keys.connection.close()
        self._beside = []

    async def close(self) -> None:
        await self._stop()
        await delete_topics(self.servers, [self.prefix + topic for topic in self.topics])

    def elsewhere(self) -> LookingAtKafka:
        """Return the log as another process reads it."""
        keys = Keys(self._path, self._masters)
        reader = LookingAtKafka(self.servers, self.topics, Codec(keys.sealer), keys, prefix=self.prefix)
        self._beside.append((reader, keys))
        return reader

    async def destroy_key(self, subject: str) -> None:
        """Destroy a subject's key, as an erasure does."""
        self._on_keys("UPDATE subject_keys SET wrapped=NULL WHERE subject=?", subject)

    async def lose_key(self, subject: str) -> None:
        """Remove a subject's key, as if the key store belonged to another log."""
        self._on_keys("DELETE FROM subject_keys WHERE subject=?", subject)

    def _on_keys(self, statement: str, subject: str) -> None:
        self.keys.connection.execute(statement, (subject,))
        self.keys.sealer.clear()

    async def rewrite(self, type_: str, **columns: Any) -> None:
        """Append changed copies of the records of a type, as if another version of the software had written them."""
        await asyncio.to_thread(self._copy, type_, columns)

    def _copy(self, type_: str, columns: Mapping[str, Any]) -> None:
        producer = Producer({"bootstrap.servers": self.servers})
        for message in raw(self.servers, {self.prefix + name: number for name, number in self.topics.items()}):
            headers = dict(message.headers() or ())
            if headers["ce_type"] != type_.encode():
                continue
            changed: dict[str, str | bytes | None] = {}
            if "id" in columns:
                changed["ce_id"] = from_bytes(columns["id"])
            if "type" in columns:
                changed["ce_type"] = columns["type"]
            if "version" in columns:
                changed["ce_dataschema"] = f"/schemas/{BY_NAME[type_].topic}/{type_}.v{columns['version']}.json"
            topic, partition = message.topic(), message.partition()
            assert topic is not None
            assert partition is not None
            value = columns.get("value", message.value())
            producer.produce(topic, value, message.key(), partition, headers=headers | changed)
        assert producer.flush(PATIENCE_S) == 0


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine, whether an event loop runs or not."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
