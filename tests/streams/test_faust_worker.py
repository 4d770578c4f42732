"""The Faust worker on a real Kafka: it hands over records from the sink's positions on, after any failure."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from events.log import LogUnavailable, Positions, TopicPartition
from streams.faust_worker import FaustWorker
from tests.on_kafka import send_nameless_header
from tests.streams.numbers import PARTITIONS, SESSION_S, SOON, Sink, Topic

pytestmark = pytest.mark.engines


@pytest.fixture
def topic(kafka: str) -> Topic:
    return Topic(kafka)


async def until(condition: Callable[[], object], task: asyncio.Task[None] | None = None) -> None:
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        if task is not None and task.done():
            task.result()
        await asyncio.sleep(0.02)


class Working:
    """A running worker that is stopped at the end of the test."""

    def __init__(self, worker: FaustWorker) -> None:
        self.worker = worker

    async def __aenter__(self) -> Working:
        self.task = asyncio.create_task(self.worker.run())
        return self

    async def until(self, condition: Callable[[], object]) -> None:
        await until(condition, self.task)

    async def __aexit__(self, *error: None) -> None:
        self.worker.stop()
        await asyncio.wait((self.task,))
        if error[0] is None:
            self.task.result()


async def test_what_is_appended_is_handed_over_once_and_in_order_of_its_partition(topic: Topic) -> None:
    sink = Sink()
    before = topic.append(300)
    async with Working(topic.worker(sink)) as working:
        await working.until(lambda: len(sink.values) >= 300)
        after = topic.append(100)
        await working.until(lambda: len(sink.values) >= 400)
    assert sorted(sink.values) == before + after
    for partition in range(PARTITIONS):
        own = [n for n in sink.values if n % PARTITIONS == partition]
        assert own == sorted(own)
    assert sink.applied == {TopicPartition("tweets", p): 100 for p in range(PARTITIONS)}
    assert max(sink.batches) <= 50


async def test_a_header_whose_name_is_no_utf_8_keeps_a_worker_from_nothing(topic: Topic) -> None:
    sink = Sink()
    topic.append(8)
    await asyncio.to_thread(send_nameless_header, topic.brokers, f"{topic.prefix}tweets", 0, "-1")
    after = topic.append(8)
    async with Working(topic.worker(sink)) as working:
        await working.until(lambda: len(sink.values) >= 17)
    assert sink.values.count(-1) == 1
    assert sorted(sink.values)[-8:] == after


async def test_a_worker_writes_nothing_where_it_is_started(
    topic: Topic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sink = Sink()
    topic.append(10)
    async with Working(topic.worker(sink)) as working:
        await working.until(lambda: len(sink.values) >= 10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stands", [0, 30], ids=["a sink that lost all", "a sink of an hour ago"])
async def test_a_worker_goes_on_from_where_its_sink_stands_and_not_from_the_group_s_offset(
    topic: Topic, stands: int
) -> None:
    sink = Sink()
    topic.append(400)
    async with Working(topic.worker(sink)) as working:
        await working.until(lambda: len(sink.values) >= 400)
        await asyncio.sleep(0)
    restored = Sink()
    restored.applied = Positions({TopicPartition("tweets", p): stands for p in range(PARTITIONS) if stands})
    async with Working(topic.worker(restored)) as working:
        await working.until(lambda: len(restored.values) >= 400 - PARTITIONS * stands)
        topic.append(PARTITIONS)
        await working.until(lambda: len(restored.values) >= 404 - PARTITIONS * stands)
    assert sorted(restored.values) == list(range(PARTITIONS * stands, 404))


async def test_a_store_that_is_unavailable_is_waited_for_and_nothing_is_passed_over(topic: Topic) -> None:
    sink = Sink()
    refusals = iter([True] * 3)

    def before(records: list[int]) -> None:
        if next(refusals, False):
            raise LogUnavailable("the store is unavailable")

    sink.before = before
    worker = topic.worker(sink)
    numbers = topic.append(200)
    async with Working(worker) as working:
        await working.until(lambda: worker.detail == "the store is unavailable")
        await working.until(lambda: len(sink.values) >= 200)
        assert worker.detail == ""
    assert sorted(sink.values) == numbers


async def test_records_fetched_before_a_sink_lost_its_data_are_not_applied_before_the_lost_ones(topic: Topic) -> None:
    """A batch that waits for its store is dropped if its partitions restart elsewhere; else it would leave a hole."""
    sink, unavailable = Sink(), False

    def before(records: list[int]) -> None:
        if unavailable:
            raise LogUnavailable("the store is unavailable")

    sink.before = before
    first, second = topic.worker(sink), topic.worker(sink)
    topic.append(400)
    async with Working(first) as one:
        await one.until(lambda: len(sink.values) >= 400)
        unavailable = True
        topic.append(40)
        await one.until(lambda: first.detail == "the store is unavailable")
        sink.applied, sink.values = Positions(), []
        async with Working(second) as other:
            await other.until(lambda: len(first.assigned) == len(second.assigned) == PARTITIONS / 2)
            unavailable = False
            await other.until(lambda: len(set(sink.values)) == 440)
    for partition in range(PARTITIONS):
        own = [n for n in sink.values if n % PARTITIONS == partition]
        assert own == sorted(own)


async def test_an_error_of_the_processors_ends_the_worker_and_its_batch_is_handed_over_again(topic: Topic) -> None:
    sink = Sink()
    numbers = topic.append(200)

    def before(records: list[int]) -> None:
        if 120 in records:
            raise ValueError("cannot apply 120")

    sink.before = before
    worker = topic.worker(sink)
    with pytest.raises(ValueError, match="cannot apply 120"):
        await asyncio.wait_for(worker.run(), SOON)
    assert 120 not in sink.values
    sink.before = lambda records: None
    async with Working(topic.worker(sink)) as working:
        await working.until(lambda: len(sink.values) >= 200)
    assert sorted(sink.values) == numbers


async def test_workers_share_the_partitions_and_one_that_leaves_hands_its_own_over(topic: Topic) -> None:
    sink = Sink()
    first, second = topic.worker(sink), topic.worker(sink)
    async with Working(first) as one:
        await one.until(lambda: len(first.assigned) == PARTITIONS)
        async with Working(second) as other:
            await other.until(lambda: len(first.assigned) == len(second.assigned) == PARTITIONS / 2)
            assert not first.assigned & second.assigned
            topic.append(200)
            await other.until(lambda: len(set(sink.values)) >= 200)
        await one.until(lambda: len(first.assigned) == PARTITIONS)
        topic.append(40)
        await one.until(lambda: len(set(sink.values)) >= 240)
    assert set(sink.values) == set(range(240))


KILLED = """
import asyncio, sys
sys.path[:0] = [{root!r}]
from events.log import Positions, TopicPartition
from streams.faust_worker import Decode, FaustWorker, Hosted

class Sink:
    name, topics = "serving", frozenset(("tweets",))
    async def positions(self):
        return Positions()
    async def apply(self, records, positions):
        print(*records, flush=True)

async def decode(messages):
    return [int(message.value) for message in messages]

asyncio.run(FaustWorker(Sink(), decode, brokers={brokers!r}, prefix={prefix!r}, batch=50, session_s={session}).run())
"""


async def killed_after_its_first_batch(topic: Topic, session_s: float) -> list[int]:
    """Return the records that a worker in a process of its own applied before it was killed."""
    source = KILLED.format(
        root=str(Path(__file__).parents[2]), brokers=topic.brokers, prefix=topic.prefix, session=session_s
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    applied = [int(n) for n in (await process.stdout.readline()).split()]
    process.kill()
    await process.communicate()
    assert applied
    return applied


@pytest.mark.slow
async def test_a_worker_that_is_killed_is_followed_by_another_that_loses_nothing(topic: Topic) -> None:
    numbers = topic.append(200)
    applied = await killed_after_its_first_batch(topic, SESSION_S)
    sink = Sink()
    for n in applied:  # records that the killed worker applied
        place = TopicPartition("tweets", n % PARTITIONS)
        sink.applied[place] = max(sink.applied.get(place, 0), n // PARTITIONS + 1)
    async with Working(topic.worker(sink)) as working:
        await working.until(lambda: set(applied) | set(sink.values) == set(numbers))
    assert sorted(applied + sink.values) == numbers


@pytest.mark.slow
async def test_members_agree_while_they_wait_for_one_that_was_killed(topic: Topic) -> None:
    """No offsets are committed meanwhile: the answer would cancel the agreement, and the members would start again."""
    session_s = 6.0  # members hear of a change within 1.5 s, longer than what lies between two tellings
    sink = Sink()
    first, second = topic.worker(sink, session_s=session_s), topic.worker(sink, session_s=session_s)
    topic.append(40)
    appending = asyncio.create_task(steadily(topic))
    async with Working(first) as staying:
        await staying.until(lambda: len(sink.values) >= 40)
        await killed_after_its_first_batch(topic, session_s)
        async with Working(second) as joining:
            await joining.until(lambda: len(first.assigned) == len(second.assigned) == PARTITIONS / 2)
            agreed = second.generation
            await asyncio.sleep(session_s)
            assert second.generation == agreed
        appending.cancel()
        [last] = topic.append(1)
        await staying.until(lambda: len(set(sink.values)) > last)
    assert set(sink.values) == set(range(last + 1))


async def steadily(topic: Topic) -> None:
    while True:
        topic.append(PARTITIONS)
        await asyncio.sleep(0.1)


class Idling(Sink):
    """A sink with idle work, which must not be called while a batch is applied."""

    def __init__(self) -> None:
        super().__init__()
        self.committing = False
        self.settled = 0

    async def apply(self, records: list[int], positions: Positions) -> None:
        self.committing = True
        await asyncio.sleep(0.001)
        await super().apply(records, positions)
        self.committing = False

    async def settle(self) -> bool:
        assert not self.committing
        self.settled += 1
        await asyncio.sleep(0.001)
        assert not self.committing
        return self.settled % 10 != 0


async def test_what_is_no_message_s_doing_is_done_between_batches_by_one_member_alone(topic: Topic) -> None:
    sinks = [Idling(), Idling()]
    first, second = (topic.worker(sink, idle=sink.settle) for sink in sinks)
    async with Working(first) as one:
        await one.until(lambda: sinks[0].settled > 20)
        async with Working(second) as other:
            await other.until(lambda: len(first.assigned) == len(second.assigned) == PARTITIONS / 2)
            leading, led = sinks if TopicPartition("tweets", 0) in first.assigned else reversed(sinks)
            before = leading.settled, led.settled
            topic.append(400)
            await other.until(lambda: len(set(sinks[0].values + sinks[1].values)) >= 400)
            await other.until(lambda: leading.settled > before[0] + 20)
            assert led.settled == before[1]


async def test_a_store_that_is_unavailable_is_asked_again_and_any_other_error_ends_the_worker(topic: Topic) -> None:
    errors = iter([LogUnavailable("the topic is unavailable"), None, ValueError("cannot rank")])

    async def settle() -> bool:
        error = next(errors)
        if error is not None:
            raise error
        return True

    with pytest.raises(ValueError, match="cannot rank"):
        await asyncio.wait_for(topic.worker(Sink(), idle=settle).run(), SOON)


async def test_nothing_is_lost_or_out_of_order_while_partitions_change_hands_again_and_again(topic: Topic) -> None:
    """Members join and leave while messages arrive: messages fetched before a seek must not count as the next ones."""
    sink = Sink()
    holes = []

    def before(records: list[int]) -> None:
        ends = {place.partition: end for place, end in sink.applied.items()}
        for n in records:
            offset, partition = divmod(n, PARTITIONS)
            end = ends.get(partition, 0)
            if offset > end:
                holes.append((partition, end, offset))
            ends[partition] = max(end, offset + 1)

    sink.before = before
    total = 0
    async with Working(topic.worker(sink)) as staying:
        for _ in range(4):
            async with Working(topic.worker(sink)) as passing:
                for _ in range(20):
                    total += len(topic.append(40))
                    await asyncio.sleep(0.05)
                await passing.until(lambda: passing.worker.assigned)
        await staying.until(lambda: len(set(sink.values)) >= total)
    assert holes == []
    assert set(sink.values) == set(range(total))
