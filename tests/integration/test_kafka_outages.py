"""What Kafka's clients log while Kafka is unavailable: one line when it goes, one a minute, one when it is back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from runtime.distributed.kafka_outages import EVERY_S, LIBRARIES, MOST_HELD, SETTLES_S, KafkaLogHandler, Outages

SOON_S = 30
REFUSED = "Unable connect to node with id 1: connection refused"


class Telling:
    """What was logged, as of a clock that is turned."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.told: list[tuple[int, str, dict[str, object]]] = []
        self.outages = Outages(self._say, lambda: self.now)

    def _say(self, level: int, text: str, **fields: object) -> None:
        self.told.append((level, text, fields))

    def lines(self, number: int = 1, wording: str = "aiokafka Unable connect") -> None:
        for _ in range(number):
            self.outages.line(logging.ERROR, wording, REFUSED)

    @property
    def texts(self) -> list[str]:
        return [text for _, text, _ in self.told]


def test_an_outage_of_a_minute_is_told_of_in_three_lines() -> None:
    telling = Telling()
    for second in range(61):
        telling.lines(250, f"wording {second}")
        telling.outages.silent("refused")
        telling.now += 1
    telling.outages.answered()
    assert telling.texts == [
        "Kafka does not answer; what reads and writes it waits",
        "Kafka still does not answer",
        "Kafka answers again",
    ]
    assert telling.told[0][2] == {"why": "refused"}
    assert telling.told[-1][2] == {"unavailable_s": 61, "lines_left_out": 61 * 250}


def test_a_long_outage_is_told_of_once_a_minute() -> None:
    telling = Telling()
    telling.lines()
    for _ in range(3600):
        telling.outages.silent("refused")
        telling.lines(10)
        telling.now += 1
    assert telling.texts.count("Kafka still does not answer") == 3600 / EVERY_S - 1
    assert len(telling.texts) == 3600 / EVERY_S


def test_what_clients_say_of_an_outage_that_is_over_is_left_out_for_a_while() -> None:
    telling = Telling()
    telling.lines()
    telling.outages.silent("refused")
    telling.outages.answered()
    telling.lines(100)
    telling.outages.answered()
    assert telling.texts[-1] == "Kafka answers again"
    telling.now += SETTLES_S
    telling.lines()
    telling.outages.answered()
    assert telling.texts[-1] == REFUSED


def test_a_line_of_something_else_is_logged_as_soon_as_kafka_has_answered_each_wording_once_a_minute() -> None:
    telling = Telling()
    for _ in range(30):
        telling.lines(5)
        telling.outages.line(logging.WARNING, "faust Too slow", "Too slow")
        assert telling.outages.doubtful
        telling.outages.answered()
        assert not telling.outages.doubtful
        telling.now += 1
    assert telling.told == [(logging.ERROR, REFUSED, {}), (logging.WARNING, "Too slow", {})]
    telling.now += EVERY_S
    telling.lines()
    telling.outages.answered()
    assert telling.told[-1] == (logging.ERROR, REFUSED, {"left_out": 29})


def test_lines_of_many_wordings_take_no_memory_and_no_line_is_long() -> None:
    telling = Telling()
    for n in range(10 * MOST_HELD):
        telling.outages.line(logging.ERROR, f"wording {n}", "x" * 10_000 + "\n")
    telling.outages.answered()
    assert len(telling.told) == MOST_HELD
    assert max(map(len, telling.texts)) <= 300


@pytest.fixture
def libraries() -> Iterator[None]:
    """The libraries' loggers, put back at the end."""
    kept = [(log, log.handlers[:], log.propagate, log.level) for log in map(logging.getLogger, LIBRARIES)]
    yield
    for log, handlers, propagate, level in kept:
        log.handlers[:], log.propagate = handlers, propagate
        log.setLevel(level)


class Kafka:
    """Answers, or does not."""

    def __init__(self) -> None:
        self.there = True
        self.asked = 0

    async def ask(self) -> None:
        self.asked += 1
        if not self.there:
            raise ConnectionRefusedError("nobody\nlistens")


@contextlib.asynccontextmanager
async def watched(kafka: Kafka, telling: Telling) -> AsyncIterator[None]:
    handler = KafkaLogHandler(kafka.ask, telling.outages)
    handler.install()
    watching = asyncio.create_task(handler.watch())
    yield
    watching.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0.001)


async def test_the_libraries_lines_from_any_thread_are_taken_and_nothing_is_asked_in_quiet_times(
    libraries: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("runtime.distributed.kafka_outages.ASK_S", 0.001)
    kafka, telling = Kafka(), Telling()
    async with watched(kafka, telling):
        logging.getLogger("aiokafka.consumer").info("Joined group")
        await asyncio.sleep(0.01)
        assert kafka.asked == 0
        kafka.there = False
        logging.getLogger("aiokafka.conn").error("Unable connect to node with id %s", 1)
        threading.Thread(target=logging.getLogger("librdkafka").error, args=("%s [%s] %s", "FAIL", "c", "down")).start()
        await until(lambda: len(telling.told) == 1)
        assert telling.told[0][2] == {"why": "nobody listens"}
        kafka.there = True
        await until(lambda: "Kafka answers again" in telling.texts)
        asked = kafka.asked
        await asyncio.sleep(0.01)
        assert kafka.asked == asked
    assert not [record for record in caplog.records if record.name.startswith(LIBRARIES)]


async def test_the_error_behind_a_line_is_told_with_it(libraries: None) -> None:
    kafka, telling = Kafka(), Telling()
    async with watched(kafka, telling):
        try:
            raise ValueError("odd")
        except ValueError:
            logging.getLogger("mode.services").exception("Crashed")
        await until(lambda: bool(telling.told))
    assert telling.texts == ["mode.services: Crashed (ValueError: odd)"]
