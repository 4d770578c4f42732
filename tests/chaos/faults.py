"""Faults of an installation, in an order drawn from the seed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka.admin import AdminClient

from .engines import NAMES, Engines
from .ledger import Ledger
from .processes import Supervised
from .proxy import Proxy

SERVES_S = 60.0
"""Seconds after a fault within which writes have to be acknowledged again."""
DELAY_S = 0.1
HELD_S = 4.0
"""Seconds for which an engine is slow, stalled or cut off."""
TOGETHER = ", "
"""Separates the names of processes that are killed at once."""
_WRITES = 10


class Fault(NamedTuple):
    """One fault; `what` is a process, several processes that are killed together, or an engine."""

    how: str
    what: str

    def __str__(self) -> str:
        return f"{self.how} {self.what}"


def whole(seed: int, processes: Sequence[str], brokers: int, kills: int = 5) -> list[Fault]:
    """Every process killed so many times, every engine once; each engine slow, out of reach and cut off; in any order.

    With several brokers one that leads is killed as well.
    """
    faults = [Fault("kill", process) for process in processes for _ in range(kills)]
    faults += [Fault(how, engine) for engine in NAMES for how in ("lose", "delay", "stall", "cut")]
    if brokers > 1:
        faults.append(Fault("lose the leader of", "kafka"))
    random.Random(seed).shuffle(faults)
    return faults


def short(seed: int, roles: Mapping[str, Sequence[str]]) -> list[Fault]:
    """One process of each role killed, all at once, and one engine that is back within seconds (Cassandra is not).

    `roles` are processes by name, and how each is started.
    """
    chance = random.Random(seed)
    first_of_each = {tuple(words): name for name, words in reversed(list(roles.items()))}
    faults = [
        Fault("kill", TOGETHER.join(first_of_each.values())),
        Fault("lose", chance.choice([name for name in NAMES if name != "cassandra"])),
    ]
    chance.shuffle(faults)
    return faults


class Surgeon:
    """Causes faults, and ends them, while writers write."""

    def __init__(
        self,
        processes: Iterable[Supervised],
        engines: Engines,
        ledger: Ledger,
        topic_prefix: str,
        say: Callable[[str], None],
    ) -> None:
        self._processes = {process.name: process for process in processes}
        self._engines = engines
        self._ledger = ledger
        self._prefix = topic_prefix
        self._say = say

    async def do(self, fault: Fault) -> None:
        """Cause one fault, let writers write, end the fault, and check that the service recovers."""
        began = asyncio.get_running_loop().time()
        doing: dict[str, Callable[[str], Awaitable[None]]] = {
            "kill": self._kill,
            "lose": self._lose,
            "lose the leader of": self._lose_leader,
            "delay": self._delay,
            "stall": self._stall,
            "cut": self._cut,
        }
        before = self._ledger.acknowledged
        await doing[fault.how](fault.what)
        under = self._ledger.acknowledged - before
        mended = asyncio.get_running_loop().time()
        await self._ledger.more(_WRITES, SERVES_S)
        await self.all_ready()
        now = asyncio.get_running_loop().time()
        self._say(
            f"{fault!s:28} {mended - began:5.1f} s, {under:4} writes meanwhile, the longest took"
            f" {self._ledger.longest():5.1f} s; all ready {now - mended:4.1f} s later"
        )

    async def all_ready(self) -> None:
        """Wait until every process is ready. Raises AssertionError."""
        await asyncio.gather(*(process.ready() for process in self._processes.values()))

    async def _kill(self, names: str) -> None:
        processes = [self._processes[name] for name in names.split(TOGETHER)]
        await asyncio.gather(*(process.kill() for process in processes))
        await self._ledger.more(_WRITES, SERVES_S)
        await asyncio.gather(*(process.start() for process in processes))

    async def _lose(self, engine: str) -> None:
        await self._engines.kill(engine)
        await asyncio.sleep(HELD_S / 2)
        await self._engines.up(engine)

    async def _lose_leader(self, engine: str) -> None:
        leader = await asyncio.to_thread(leader_of, self._engines.urls[engine], f"{self._prefix}tweets")
        await self._engines.kill(engine, f"{engine}-{leader}")
        await self._ledger.more(_WRITES, SERVES_S)
        await self._engines.up(engine)

    async def _delay(self, engine: str) -> None:
        await self._through(engine, lambda proxy: proxy.delay(DELAY_S))

    async def _stall(self, engine: str) -> None:
        await self._through(engine, Proxy.stall)

    async def _cut(self, engine: str) -> None:
        await self._through(engine, Proxy.cut)

    async def _through(self, engine: str, harm: Callable[[Proxy], None]) -> None:
        for proxy in self._engines.proxies[engine]:
            harm(proxy)
        await asyncio.sleep(HELD_S)
        for proxy in self._engines.proxies[engine]:
            proxy.mend()


def leader_of(brokers: str, topic: str) -> int:
    """Return the broker that leads a topic's first partition."""
    quiet: dict[str, str | int | float | bool] = {"bootstrap.servers": brokers, "log_level": 0}
    return int(AdminClient(quiet).list_topics(topic, timeout=10).topics[topic].partitions[0].leader)
