"""What Kafka's clients log, in a few lines: one when Kafka goes, one a minute, one when it is back.

Each client of a process (aiokafka for every group, librdkafka for readers and producers) tells of every attempt on
every connection: thousands of lines a minute, all of which say the same. So their lines are held until Kafka was asked
whether it answers. Where it does not, they are counted; where it does, they are of something else, and are logged, each
wording once a minute.
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
"""How often an outage is told of, and a wording is repeated."""
ASK_S = 1.0
"""How often Kafka is asked while it does not answer."""
SETTLES_S = 30.0
"""How long clients may still tell of an outage that is over: they back off, and groups have to agree again."""
REPLY_S = 2.0
MOST_HELD = 50
_LONGEST = 300

Say = Callable[..., object]


class Outages:
    """Decides which lines are logged. `clock` gives seconds; `say` takes a level, a sentence and fields."""

    def __init__(self, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._held: dict[str, tuple[int, str]] = {}
        self._repeated: dict[str, tuple[float, int]] = {}
        self._lines = 0
        self._away_since: float | None = None
        self._told = 0.0
        self._settled = float("-inf")

    @property
    def doubtful(self) -> bool:
        """Whether Kafka is to be asked whether it answers."""
        return self._away_since is not None or bool(self._held)

    def line(self, level: int, wording: str, text: str) -> None:
        """Take in a line of a client; `wording` is the same for lines that differ in their values alone."""
        self._lines += 1
        if self._away_since is None and self._clock() >= self._settled and len(self._held) < MOST_HELD:
            self._held.setdefault(wording, (level, " ".join(text.split())[:_LONGEST]))

    def answered(self) -> None:
        """Kafka answers."""
        now = self._clock()
        if self._away_since is not None:
            self._say(
                logging.WARNING, "Kafka answers again", away_s=round(now - self._away_since), lines_left_out=self._lines
            )
            self._away_since, self._settled = None, now + SETTLES_S
        else:
            for wording, (level, text) in self._held.items():
                self._log(now, wording, level, text)
        self._held.clear()
        self._lines = 0

    def silent(self, why: str) -> None:
        """Kafka does not answer."""
        now = self._clock()
        if self._away_since is None:
            self._away_since = self._told = now
            self._say(logging.ERROR, "Kafka does not answer; what reads and writes it waits", why=why)
        elif now - self._told >= EVERY_S:
            self._told = now
            self._say(logging.ERROR, "Kafka still does not answer", away_s=round(now - self._away_since), why=why)
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
    """The handler of the libraries' loggers while it is installed; `ask` raises where Kafka does not answer."""

    def __init__(self, ask: Callable[[], Awaitable[object]], outages: Outages | None = None) -> None:
        super().__init__(logging.WARNING)
        self._ask = ask
        self._outages = outages or Outages(logger("minitwitter.kafka").log)
        self._loop = asyncio.get_running_loop()
        self._asked = asyncio.Event()

    def install(self) -> None:
        """Take the libraries' lines. Below a warning they are of interest to nobody but who looks for a fault."""
        for name in LIBRARIES:
            library = logging.getLogger(name)
            verbose = logging.getLogger().isEnabledFor(logging.DEBUG)
            library.handlers[:] = [self]
            library.propagate = verbose
            library.setLevel(logging.NOTSET if verbose else logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Take in a line, from whichever thread."""
        kind = record.args[0] if record.name == "librdkafka" and isinstance(record.args, tuple) and record.args else ""
        wording = f"{record.name} {record.msg} {kind}"
        try:
            text = f"{record.name}: {record.getMessage()}"
        except Exception:  # a library's own mistake
            text = wording
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({type(record.exc_info[1]).__name__}: {record.exc_info[1]})"
        self._loop.call_soon_threadsafe(self._take, record.levelno, wording, text)

    def _take(self, level: int, wording: str, text: str) -> None:
        self._outages.line(level, wording, text)
        if self._outages.doubtful:
            self._asked.set()

    async def watch(self) -> None:
        """Ask Kafka where its clients give reason to, until cancelled."""
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
    """Within, what the clients of these brokers log is told in a few lines."""
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
