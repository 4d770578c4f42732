"""Keys and passwords are also in Kafka's topic `keys`: a database restored from a backup gets the lost ones back."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import psycopg
import pytest

from command_api.credentials import PasswordFor, SetPassword
from command_api.postgres.kept import KeptKeys, KeptRows
from command_api.postgres.taking_back import Taken, TakingBack
from events.ids import AccountId, EventId, Millis, id_at
from events.kept import Kept, KeptBatch, KeptKey, KeptTopic, outgoing, read
from events.keys import KeysUnavailable
from events.log import LogUnavailable, Positions, TopicPartition
from events.postgres.keys import PostgresKeys
from events.sealing import MasterKeys, Sealer
from tests.contracts.commands import ALICE, BOB, CAROL, SAY, a_decision, by, post, posted, settle
from tests.on_postgres import MASTERS, PostgresSystem, World, a_database, a_world, until

pytestmark = pytest.mark.engines

PLACE = TopicPartition("keys", 0)
NOBODY = AccountId(id_at(Millis(1), "nobody"))
Backup = Callable[[], Awaitable[PostgresSystem]]
"""Makes a copy of the database as it is, and a process on it."""


class Topic(KeptTopic):
    """The KeptTopic port in memory: records are bytes, as they stand in Kafka."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes]] = []
        self.unavailable = False
        self.asked = 0

    def _there(self) -> None:
        if self.unavailable:
            raise LogUnavailable("the topic is unavailable")

    async def publish(self, kept: Sequence[Kept]) -> Positions:
        self._there()
        for one in kept:
            record = outgoing(one, EventId(id_at(Millis(2), "any")), Millis(2))
            self.records.append((record.key.encode(), record.value))
        return await self.ends()

    async def ends(self) -> Positions:
        self._there()
        self.asked += 1
        return Positions({PLACE: len(self.records)} if self.records else {})

    async def since(self, positions: Mapping[TopicPartition, int]) -> AsyncIterator[KeptBatch]:
        self._there()
        for offset in range(positions.get(PLACE, 0), len(self.records)):
            yield KeptBatch([read(*self.records[offset])], Positions({PLACE: offset + 1}))

    def newest(self) -> dict[str, Kept]:
        """Return the newest value of each key."""
        return {key.decode(): read(key, value) for key, value in self.records}


@pytest.fixture
def topic() -> Topic:
    return Topic()


@pytest.fixture
async def world(postgres: str, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(postgres, tmp_path) as made:
        yield made


@pytest.fixture
async def system(world: World, topic: Topic) -> PostgresSystem:
    made = world.process(kept=topic)
    await settle(made, ALICE, BOB)
    await until(lambda: not made.select("SELECT 1 FROM subject_keys WHERE NOT published"))
    return made


class Rows:
    """The publishing and restoring of keys in one process."""

    def __init__(self, system: PostgresSystem, topic: Topic, masters: MasterKeys = MASTERS) -> None:
        self.keys = PostgresKeys(system.pool, Sealer(masters))
        self.publish_waiting = KeptRows(system.pool, self.keys, topic).publish_waiting
        self.take_back = TakingBack(system.pool, self.keys, topic).take_back

    async def seal(self, subject: str) -> str:
        """Something sealed with the subject's key: the same for the same key."""
        await self.keys.fetch([subject])
        return self.keys.sealer.seal(subject, "kind", "id", b"plain")


async def set_password(system: PostgresSystem, account: AccountId, hash_: bytes) -> None:
    await system.store.execute(a_decision(lambda facts: [SetPassword(account, hash_)]), None, by(account), SAY)


async def password_for(system: PostgresSystem, login: str) -> bytes | None:
    found = (await system.store.ask(PasswordFor(login)))[PasswordFor(login)]
    return None if found is None else found.hash


@pytest.fixture
async def backup(postgres: str, world: World, system: PostgresSystem) -> AsyncIterator[Backup]:
    """Makes a copy of the database as it is, and a process on it."""
    copies = []

    async def make() -> PostgresSystem:
        await system.stop()
        copy = a_database(postgres, like=str(psycopg.conninfo.conninfo_to_dict(world.url)["dbname"]))
        copies.append(copy)
        restored = world.process(kept=topic_of(system))
        restored.url = copy.__enter__()
        return restored

    yield make
    for copy in copies:
        for process in world.processes:
            await process.stop()
        copy.__exit__(None, None, None)


def topic_of(system: PostgresSystem) -> KeptTopic:
    assert system._kept is not None
    return system._kept


async def test_a_new_key_is_published_with_the_write_and_noted(system: PostgresSystem, topic: Topic) -> None:
    assert set(topic.newest()) == {ALICE, BOB} == {key for (key,) in system.select("SELECT subject FROM subject_keys")}
    assert await Rows(system, topic).take_back() == Taken(0, 0)


async def test_without_the_topic_events_wait_and_the_relay_sends_the_key_ahead(world: World, topic: Topic) -> None:
    topic.unavailable = True
    system = world.process(kept=topic)
    await settle(system, ALICE)
    assert world.waiting()
    assert not await world.records()
    order: list[object] = []

    async def first() -> None:
        await Rows(system, topic).take_back()  # raises while the topic is unavailable
        order.append("took back")

    async def ahead(subjects: list[str]) -> None:
        await KeptKeys(system.pool, topic).publish_of(subjects)
        order.append(len(await world.records()))

    async with world.relay(first=first, ahead=ahead) as relay:
        await until(lambda: relay.leads)
        assert world.waiting()
        topic.unavailable = False
        await world.drained()
    assert list(topic.newest()) == [ALICE]
    assert order[:2] == ["took back", 0], "the key came before the events, and what was destroyed before the key"


async def test_what_an_older_version_left_is_published_in_the_background_once(
    system: PostgresSystem, topic: Topic
) -> None:
    await set_password(system, ALICE, b"hash")
    await system.tamper("UPDATE subject_keys SET published=false; UPDATE passwords SET published=false, changed=0")
    topic.records.clear()
    await system.tamper("UPDATE kept_positions SET positions=''")
    rows = Rows(system, topic)
    assert [await rows.publish_waiting(1) for _ in range(3)] == [2, 1, 0]
    assert {f"password:{ALICE}", ALICE, BOB} <= set(topic.newest())
    assert b"hash" not in b"".join(value for _, value in topic.records)


async def test_noting_keys_cannot_deadlock(system: PostgresSystem, topic: Topic) -> None:
    """Keys of two writes are noted at once while another process, which has one of them, notes where the topic ends."""
    await system.tamper("UPDATE subject_keys SET published=false")
    rows = system.select("SELECT subject, master, wrapped FROM subject_keys ORDER BY subject")
    async with await psycopg.AsyncConnection.connect(system.url) as other:
        await other.execute("SELECT 1 FROM subject_keys WHERE subject=%s FOR UPDATE", (rows[-1][0],))
        system.publishing._published_keys = [([KeptKey(*row)], await topic.ends()) for row in rows]
        system.publishing._note()
        await until(lambda: system.select("SELECT 1 FROM pg_locks WHERE NOT granted"))
        await other.execute("SELECT 1 FROM kept_positions FOR UPDATE")
    await until(lambda: not system.select("SELECT 1 FROM subject_keys WHERE NOT published"))


async def test_a_restored_database_has_the_keys_and_the_newest_passwords_again(
    world: World, system: PostgresSystem, topic: Topic, backup: Backup
) -> None:
    await set_password(system, ALICE, b"old")
    await Rows(system, topic).publish_waiting()
    restored = await backup()
    world.clock.now = Millis(world.clock.now + 1)
    await set_password(system, ALICE, b"new")
    await set_password(system, BOB, b"first")
    await settle(system, CAROL)
    sealed = await Rows(system, topic).seal(CAROL)
    await Rows(system, topic).publish_waiting()
    await restored.opened()
    rows = Rows(restored, topic)
    assert await rows.take_back() == Taken(keys=1, passwords=2)
    assert await rows.seal(CAROL) == sealed
    assert restored.select(f"SELECT hash FROM passwords WHERE id IN ('{ALICE}', '{BOB}') ORDER BY hash") == [
        (b"first",),
        (b"new",),
    ]
    assert await rows.take_back() == Taken(0, 0)


async def test_a_key_that_was_destroyed_since_the_backup_is_destroyed_again_and_never_published(
    system: PostgresSystem, topic: Topic, backup: Backup
) -> None:
    await system.tamper(f"UPDATE subject_keys SET published=false WHERE subject='{ALICE}'")  # as in the worst moment
    restored = await backup()
    await system.opened()
    await system.tamper(f"UPDATE subject_keys SET wrapped=NULL, published=false WHERE subject='{ALICE}'")
    await Rows(system, topic).publish_waiting()
    assert topic.newest()[ALICE] == KeptKey(ALICE, MASTERS.current, None)
    await restored.opened()
    rows = Rows(restored, topic)
    assert (await rows.take_back()).keys == 1
    await rows.publish_waiting()
    await rows.keys.fetch([ALICE])
    assert rows.keys.sealer.erased(ALICE)
    assert topic.newest()[ALICE] == KeptKey(ALICE, MASTERS.current, None)


async def test_a_backup_of_before_a_rotation_is_opened_by_the_new_master_key_alone(
    system: PostgresSystem, topic: Topic, backup: Backup
) -> None:
    sealed = await Rows(system, topic).seal(ALICE)
    restored = await backup()
    await system.opened()
    newer = MasterKeys.generate(MASTERS)
    await system.keys.rewrap(newer, 100)
    await Rows(system, topic, newer).publish_waiting()
    await restored.opened()
    rows = Rows(restored, topic, newer.only_current())
    await rows.take_back()
    assert await rows.seal(ALICE) == sealed


async def test_what_was_changed_here_and_is_not_published_yet_is_newer_than_the_topic(
    system: PostgresSystem, topic: Topic
) -> None:
    newer = MasterKeys.generate(MASTERS)
    await system.keys.rewrap(newer, 100)
    await system.tamper("UPDATE kept_positions SET positions=''")  # reads everything again
    rows = Rows(system, topic, newer.only_current())
    assert await rows.take_back() == Taken(0, 0)
    await rows.seal(ALICE)


async def test_a_reader_that_misses_a_key_has_it_taken_back_and_asks_for_little_where_there_is_none(
    system: PostgresSystem, topic: Topic, backup: Backup
) -> None:
    restored = await backup()
    await settle(system, CAROL)
    sealed = await Rows(system, topic).seal(CAROL)
    await restored.opened()
    rows = Rows(restored, topic)
    rows.keys.recover = rows.take_back
    assert await rows.seal(CAROL) == sealed
    topic.asked = 0
    await rows.keys.fetch([NOBODY])
    assert topic.asked == 1
    topic.unavailable = True
    with pytest.raises(KeysUnavailable):
        await rows.keys.fetch([NOBODY])


async def test_everything_is_published_again_into_a_topic_that_has_lost_it(
    system: PostgresSystem, topic: Topic
) -> None:
    await set_password(system, ALICE, b"hash")
    rows = Rows(system, topic)
    await rows.publish_waiting()
    said = topic.newest()
    topic.records.clear()
    assert await rows.take_back() == Taken(0, 0)
    await rows.publish_waiting()
    assert topic.newest() == said


async def test_a_password_whose_key_is_gone_costs_the_others_nothing(
    system: PostgresSystem, topic: Topic, backup: Backup
) -> None:
    restored = await backup()
    await system.opened()
    for account in (ALICE, BOB):
        await set_password(system, account, b"hash")
    await Rows(system, topic).publish_waiting()
    await topic.publish([KeptKey(ALICE, "any", None)])
    await restored.opened()
    assert await Rows(restored, topic).take_back() == Taken(keys=1, passwords=1)
    assert restored.select("SELECT id FROM passwords") == [(BOB,)]


async def test_keys_take_no_room_in_what_writes_answer(system: PostgresSystem) -> None:
    _tweet, posting = post(system, text="x")
    outcome = await posting
    assert [place.topic for place in outcome.token.positions] == ["tweets"]
    assert await posted(system)
