"""Summarises the log lines of Kafka's clients: one when Kafka becomes unreachable, one a minute, one when it is back.

Each client of a process (aiokafka for every group, librdkafka for readers and producers) logs every attempt on every
connection: thousands of similar lines a minute. So lines are held until Kafka was asked whether it answers. If it does
not, they are counted; if it does, they have another cause, and each wording is logged once a minute.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from confluent_kafka.admin import AdminClient

from runtime.telemetry import logger

LIBRARIES = ("aiokafka", "faust", "mode", "librdkafka")
"""The loggers of Kafka's clients."""
EVERY_S = 60.0
"""Seconds between reports of an outage, and between repetitions of a wording."""
ASK_S = 1.0
"""Seconds between probes while Kafka does not answer."""
SETTLES_S = 30.0
"""Seconds for which clients may still log a past outage: they back off, and groups rebalance."""
REPLY_S = 2.0
MOST_HELD = 50
_LONGEST = 300

Say = Callable[..., object]


class Outages:
    """Decides which lines are logged. `clock` returns seconds; `say` takes a level, a sentence and fields."""

    def __init__(self, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._held: dict[str, tuple[int, str]] = {}
        self._repeated: dict[str, tuple[float, int]] = {}
        self._lines = 0
        self._unavailable_since: float | None = None
        self._told = 0.0
        self._settled = float("-inf")

    @property
    def doubtful(self) -> bool:
        """Whether Kafka must be probed."""
        return self._unavailable_since is not None or bool(self._held)

    def line(self, level: int, wording: str, text: str) -> None:
        """Take in a line of a client; `wording` is equal for lines that differ only in their values."""
        self._lines += 1
        if self._unavailable_since is None and self._clock() >= self._settled and len(self._held) < MOST_HELD:
            self._held.setdefault(wording, (level, " ".join(text.split())[:_LONGEST]))

    def answered(self) -> None:
        """Note that Kafka answers."""
        now = self._clock()
        if self._unavailable_since is not None:
            self._say(
                logging.WARNING,
                "Kafka answers again",
                unavailable_s=round(now - self._unavailable_since),
                lines_left_out=self._lines,
            )
            self._unavailable_since, self._settled = None, now + SETTLES_S
        else:
            for wording, (level, text) in self._held.items():
                self._log(now, wording, level, text)
        self._held.clear()
        self._lines = 0

    def silent(self, why: str) -> None:
        """Note that Kafka does not answer."""
        now = self._clock()
        if self._unavailable_since is None:
            self._unavailable_since = self._told = now
            self._say(logging.ERROR, "Kafka does not answer; what reads and writes it waits", why=why)
        elif now - self._told >= EVERY_S:
            self._told = now
            self._say(
                logging.ERROR,
                "Kafka still does not answer",
                unavailable_s=round(now - self._unavailable_since),
                why=why,
            )
        self._held.clear()

    def _log(self, now: float, wording: str, level: int, text: str) -> None:
        since, times = self._repeated.get(wording, (float("-inf"), 0))
        if now - since < EVERY_S:
            self._repeated[wording] = since, times + 1
            return
        if len(self._repeated) > MOST_HELD:
            self._repeated.clear()
        self._repeated[wording] = now, 0
        self._say(level, text, **({"left_out": times} if times else {}))


class KafkaLogHandler(logging.Handler):
    """The handler of the libraries' loggers while it is installed; `ask` raises if Kafka does not answer."""

    def __init__(self, ask: Callable[[], Awaitable[object]], outages: Outages | None = None) -> None:
        super().__init__(logging.WARNING)
        self._ask = ask
        self._outages = outages or Outages(logger("minitwitter.kafka").log)
        self._loop = asyncio.get_running_loop()
        self._asked = asyncio.Event()

    def install(self) -> None:
        """Install it. Lines below a warning are dropped; they would only help to find a fault in the library."""
        for name in LIBRARIES:
            library = logging.getLogger(name)
            verbose = logging.getLogger().isEnabledFor(logging.DEBUG)
            library.handlers[:] = [self]
            library.propagate = verbose
            library.setLevel(logging.NOTSET if verbose else logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Take in a line, from any thread."""
        kind = record.args[0] if record.name == "librdkafka" and isinstance(record.args, tuple) and record.args else ""
        wording = f"{record.name} {record.msg} {kind}"
        try:
            text = f"{record.name}: {record.getMessage()}"
        except Exception:  # a malformed log call of the library
            text = wording
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({type(record.exc_info[1]).__name__}: {record.exc_info[1]})"
        self._loop.call_soon_threadsafe(self._take, record.levelno, wording, text)

    def _take(self, level: int, wording: str, text: str) -> None:
        self._outages.line(level, wording, text)
        if self._outages.doubtful:
            self._asked.set()

    async def watch(self) -> None:
        """Probe Kafka whenever its clients give reason to, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._outages.doubtful:
                try:
                    await self._ask()
                except Exception as error:
                    self._outages.silent(" ".join(str(error).split())[:_LONGEST])
                else:
                    self._outages.answered()
                await asyncio.sleep(ASK_S)


@asynccontextmanager
async def told_in_few_lines(brokers: str) -> AsyncIterator[None]:
    """Summarise the log lines of these brokers' clients inside the context."""
    asking: list[AdminClient] = []

    def ask() -> None:
        if not asking:
            asking.append(AdminClient({"bootstrap.servers": brokers}, logger=logging.getLogger("librdkafka")))
        asking[0].list_topics(timeout=REPLY_S)

    handler = KafkaLogHandler(lambda: asyncio.to_thread(ask))
    handler.install()
    watching = asyncio.create_task(handler.watch())
    try:
        yield
    finally:
        watching.cancel()
