"""A chaos run: an installation, writers, faults, and the checks at the end."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.running import Running, free_ports
from tests.integration.installation import Installation

from .checking import Reading
from .engines import Engines
from .faults import Fault, Surgeon
from .ledger import Ledger
from .load import Writer
from .processes import Supervised

ROLES = {
    "command one": ("serve", "command"),
    "command two": ("serve", "command"),
    "query": ("serve", "query"),
    "projectors one": ("work", "projectors"),
    "projectors two": ("work", "projectors"),
    "streams": ("work", "streams"),
    "relay": ("work", "relay"),
}
WRITERS = 8
PAUSE_S = 0.2
"""Seconds between two writes of one writer, which makes 20 to 40 writes a second in all."""
_FIRST = 40
_COMPLAINTS = 10
"""How many lines of warnings and errors a process may write about a fault. Five were seen; Kafka's clients write
hundreds a second where nobody holds them back."""
COMMAND_S = 300

Say = Callable[[str], None]


@dataclass(slots=True)
class Outcome:
    """The result of a run. It succeeded if `findings` is empty."""

    findings: list[str]
    happened: Counter[str]
    acknowledged: int
    caught_up_s: float
    ended: list[str] = field(default_factory=list)
    """Processes that ended unexpectedly. The supervisor restarted them."""


class World:
    """One run."""

    def __init__(self, directory: Path, running: Running, seed: int, brokers: int, say: Say) -> None:
        self._directory = directory
        self._engines = Engines(running, brokers)
        self._seed = seed
        self._say = say
        self._ledger = Ledger()
        self._began = time.monotonic()

    async def run(
        self, faults: Sequence[Fault], seconds: float = 0.0, *, verify: bool = True, **settings: str
    ) -> Outcome:
        """Let all of `faults` happen, one after the other, over at least so many seconds; then look at what is served.

        Without `verify` the stores are not derived again from the log, which takes longer than a short run. `settings`
        are those of our processes, as their environment has them, without the prefix.
        """
        async with AsyncExitStack() as stack:
            await self._engines.start()
            stack.push_async_callback(self._engines.close)
            installation = await self._installed(settings)
            self._tell("the engines run, and are migrated")
            processes = [
                Supervised(name, words, port, self._directory, installation.environment)
                for (name, words), port in zip(ROLES.items(), free_ports(len(ROLES)), strict=True)
            ]
            stack.push_async_callback(_stopped, processes)
            for process in processes:
                await process.start()
            surgeon = Surgeon(processes, self._engines, self._ledger, installation.prefix, self._tell)
            await surgeon.all_ready()
            self._tell("all processes are ready")
            await self._under_load(surgeon, processes, faults, seconds)
            outcome = await self._looked_at(processes, installation, verify)
            outcome.findings += _too_loud(processes, len(faults))
            return outcome

    async def _installed(self, settings: dict[str, str]) -> Installation:
        urls = self._engines.urls
        made: Installation = await asyncio.to_thread(
            Installation,
            self._directory,
            urls["kafka"],
            urls["postgres"],
            cassandra=f"{urls['cassandra'].rstrip('/')}/chaos",
            redis=urls["redis"],
        )
        made.environment |= {
            "MINITWITTER_RATE_LIMITS__TWEETS_A_SECOND": "1000",
            "MINITWITTER_RATE_LIMITS__TWEETS_BURST": "1000",
            "MINITWITTER_RATE_LIMITS__TWEETS_A_DAY": "100000",
            "MINITWITTER_RATE_LIMITS__FOLLOWS_A_DAY": "100000",
            "MINITWITTER_RATE_LIMITS__ANONYMOUS_READS_A_MINUTE": "100000",
            **{f"MINITWITTER_{name.upper()}": value for name, value in settings.items()},
        }
        for words in (("keys", "make-master", "master.key"), ("migrate",), ("topics", "apply")):
            status, told = await _command(made, *words)
            assert status == 0, told
        return made

    async def _under_load(
        self, surgeon: Surgeon, processes: Sequence[Supervised], faults: Sequence[Fault], seconds: float
    ) -> None:
        urls = {process.name: process.url for process in processes}
        commands = [urls["command one"], urls["command two"]]
        on = True
        self._writers = [
            Writer(f"writer{number}", str(self._seed), self._ledger, commands, urls["query"])
            for number in range(WRITERS)
        ]
        for writer in self._writers:
            writer.headers = await writer.register()
        writing = asyncio.gather(*(writer.write(lambda: on, PAUSE_S) for writer in self._writers))
        try:
            await self._ledger.more(_FIRST, 60)
            pause = seconds / len(faults)
            for number, fault in enumerate(faults, 1):
                due = asyncio.get_running_loop().time() + pause
                await surgeon.do(fault)
                if writing.done():
                    break
                if number < len(faults):
                    await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        finally:
            on = False
            await asyncio.wait([writing])
        writing.result()
        self._tell(f"{self._ledger.acknowledged} writes are acknowledged")

    async def _looked_at(self, processes: Sequence[Supervised], installation: Installation, verify: bool) -> Outcome:
        ledger = self._ledger
        query = next(process.url for process in processes if process.name == "query")
        reading = Reading(query, ledger, {writer.name: writer.headers for writer in self._writers})
        try:
            caught_up_s = await reading.caught_up()
            self._tell(f"caught up {caught_up_s:.1f} s after the last write")
            await reading.everything()
            self._tell(f"all that is served was read: {len(reading.findings)} differ")
        finally:
            await reading.close()
            for writer in self._writers:
                await writer.close()
        findings = [*ledger.violations, *reading.findings, *(await self._verified(installation) if verify else ())]
        ended = [said for process in processes for said in process.ended]
        return Outcome(findings, ledger.happened, ledger.acknowledged, caught_up_s, ended)

    async def _verified(self, installation: Installation) -> list[str]:
        """Return the result of `verify`: read models, derived topics and decision state, built again from the log."""
        status, told = await _command(installation, "verify")
        self._tell(f"verify ends with {status}")
        return [] if status == 0 else [f"verify ends with {status}:\n{told}"]

    def _tell(self, what: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f} s  {what}")


async def _stopped(processes: Sequence[Supervised]) -> None:
    await asyncio.gather(*(process.stop() for process in processes))


def _too_loud(processes: Sequence[Supervised], faults: int) -> list[str]:
    return [
        f"{process.name} complained in {number:,} lines of {faults} faults; the last is {process.complaints()[-1]}"
        for process in processes
        if (number := len(process.complaints())) > _COMPLAINTS * faults
    ]


async def _command(installation: Installation, *words: str) -> tuple[int | None, str]:
    """Run a command to its end; return exit code and output. Raises TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "runtime.cli", *words),
        env=installation.environment,
        cwd=installation.directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(COMMAND_S):
            told, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise
    return process.returncode, told.decode()
