"""One run: a world made from a seed, in which clients, time and accidents take turns until it is judged."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import apsw

from command_api.credentials import RefreshToken
from command_api.deciding import Context
from command_api.domain.register_account import REGISTER_ACCOUNT, RegisterAccount
from command_api.domain.start_session import NewSession
from events.ids import AccountId, Millis, SessionId
from events.log import LogUnavailable, New
from runtime.command_answers import WhetherNew
from runtime.dead_letters import Choice
from runtime.embedded.models import ALL_TABLES, GROUPS
from runtime.embedded.rebuild import AlreadyRebuilding
from stores.groups import SERVING
from stores.sink import StoreUnavailable

from .clients import LATE_NAMES, NAMES, Clients
from .faults import Clock, Faults
from .judging import judge_analytics, judge_views
from .laws import Violation
from .ledger import Ledger
from .model import Model
from .observing import Observer
from .process import Answer, Process
from .traffic import LONGEST_WAIT, Traffic

ACTS = 80
_VIEWS = ("views.db", "views.db-wal")
_SHM = Path("/dev/shm")
_MEMORY = _SHM if _SHM.is_dir() else None
"""Files in memory: a simulated crash loses what was not committed, whatever a disk would have done."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run. `digest` is over every byte of the log's records."""

    digest: str
    happened: Counter[str]


class World:
    """Everything there is: files, a process that may die, clients that go on, and the model of what is true."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.chance = Random(seed)
        self.bytes = Random(self.chance.getrandbits(64))
        self.directory = directory
        self.clock = Clock()
        self.model = Model()
        self.ledger = Ledger(self.model, lambda token: self.live.tokens.read(token).positions)
        self.clients = Clients(self.chance, self.model)
        self.observer = Observer(self.chance, self.ledger, self.clients)
        self.faults = Faults(self.chance)
        self.process: Process | None = None
        self.traffic = Traffic(self.chance, self.clock, self.ledger, self.clients, self.observer)

    @property
    def live(self) -> Process:
        """The process, which is alive."""
        assert self.process is not None
        return self.process

    async def run(self) -> Result:
        """Live through the seed. Raises Violation."""
        # Nobody asks a dead process for the results of its tasks.
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        apsw.connection_hooks.append(self._opened)
        try:
            await self._start()
            for name in NAMES:
                await self.surviving(partial(self.register, name))
            self.faults.schedule()
            for _ in range(ACTS):
                await self.act()
            await self._judge()
            return Result(self._digest(), self.ledger.happened)
        finally:
            apsw.connection_hooks.remove(self._opened)
            self.faults.bury()

    def _opened(self, connection: apsw.Connection) -> None:
        self.faults.watch(connection)

    # Processes

    async def _start(self) -> None:
        """Begin a life of the process, by a clock that may be behind the last one's."""
        while True:
            self.faults = Faults(self.chance)
            if self.chance.random() < 0.2:
                self.faults.schedule()
            try:
                self.process = await Process.start(
                    self.directory, self.clock, self.faults, self.chance, self.bytes.randbytes, self.traffic.order
                )
                await self._mend()
                return
            except (apsw.FullError, LogUnavailable):  # it does not start on a full disk, and is started again
                await self._bury()
            except BaseException:
                if self.faults.alive:
                    raise
                await self._bury()

    async def _bury(self) -> None:
        self.ledger.happened["crashes"] += 1
        self.faults.bury()
        self.process = None
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        if self.chance.random() < 0.25:
            self.ledger.happened["power cuts"] += 1
            self._cut_power()
        self.clock.pass_(self.chance.choice((-4000, -4000, -900, -50, 300)))

    async def act(self) -> None:
        """One thing happens; if the process dies of it, the next one opens what it left."""
        acts = (
            (lambda: self.traffic.wave(self.live), 20),
            (self.project, 9),
            (self.read, 5),
            (self.walk, 3),
            (lambda: self.traffic.repeat(self.live), 2),
            (self.copy, 3),
            (self.later, 2),
            (self.newcomer, 1),
            (self.rebuild, 1),
            (self.set_aside, 2),
            (self.keep, 1),
        )
        act = self.chance.choices([a for a, _ in acts], [w for _, w in acts])[0]
        self.clock.pass_(self.chance.choice((0, 0, 1, 5, 40)))
        await self.surviving(act)

    async def surviving(self, act: Callable[[], Awaitable[object]]) -> None:
        """Do something that the process may die of."""
        try:
            await act()
            self.faults.step()
        except BaseException:
            if self.faults.alive:
                raise
            await self._bury()
            await self._start()
            self.faults.schedule()
            await self.traffic.settle(self.live)
            if self.chance.random() < 0.8:
                await self.surviving(lambda: self.traffic.try_again(self.live))

    # What happens

    async def register(self, name: str) -> None:
        """An account begins, without a password: signing in has tests of its own."""
        ids = self.live.system.ids
        account = AccountId(ids.issue())
        session = SessionId(ids.issue())
        token = RefreshToken(name.encode(), session.encode(), Millis(self.clock() + 10**9))
        command = RegisterAccount(
            account, name.title(), f"{name}@example.org", name.title(), b"no password", NewSession(session, token)
        )
        context = Context(actor=account, correlation=f"begin-{name}")
        with suppress(LogUnavailable):
            await self.live.system.commands.execute(REGISTER_ACCOUNT, command, context, WhetherNew())
        await self.traffic.follow(self.live)

    async def newcomer(self) -> None:
        """Somebody joins who may have been mentioned before."""
        missing = [name for name in LATE_NAMES if name not in self.model.accounts]
        if missing:
            await self.register(missing[0])

    async def project(self) -> None:
        """The read models take some turns."""
        for _ in range(self.chance.choice((1, 1, 2, 5))):
            await self._turn()

    async def _turn(self) -> None:
        try:
            await self.live.views.turn()
        except (StoreUnavailable, LogUnavailable):
            self.ledger.happened["views refused"] += 1
        except apsw.FullError:  # in the middle of a rebuild: what advances the views ends, and is started again
            self.faults.crash()

    async def set_aside(self) -> None:
        """Some records cannot be read for a while: they are set aside, and applied in their order once they can be."""
        projecting = self.live.views.projecting
        positions = projecting.positions(SERVING)
        coming = [
            (place, offset)
            for place, end in sorted((await self.live.system.log.ends()).items())
            for offset in range(positions.get(place, 0), end)
        ]
        unreadable = self.live.deliveries.unreadable
        unreadable.update(self.chance.sample(coming, min(len(coming), self.chance.randrange(1, 4))))
        for _ in range(self.chance.choice((1, 3, 8))):
            await self._turn()
        unreadable.clear()
        waiting = [projecting.waiting(group) for group in GROUPS]
        self.ledger.happened["set aside"] += sum(one.failed for one in waiting)
        self.ledger.happened["held back"] += sum(one.all - one.failed for one in waiting)
        await self._mend()

    async def _mend(self) -> None:
        """Whatever was set aside is applied, also what a process left that died in between."""
        for _ in range(50):
            try:
                if (await self.live.views.projecting.retry(Choice())).left == 0:
                    return
            except (StoreUnavailable, LogUnavailable):
                self.ledger.happened["views refused"] += 1
            except apsw.FullError:
                self.faults.crash()
        raise Violation("what was set aside cannot be applied again")

    async def rebuild(self) -> None:
        """Some read models are built anew, beside the live ones."""
        models = [tables.model for tables in ALL_TABLES]
        with suppress(AlreadyRebuilding):
            try:
                await self.live.views.projecting.rebuild(self.chance.sample(models, self.chance.choice((1, 3))))
                self.ledger.happened["rebuilds"] += 1
            except apsw.FullError:
                self.faults.crash()

    async def keep(self) -> None:
        """What the disk is sure to hold of the views: a power cut may lose all that was written since."""
        for name in _VIEWS:
            kept = self.directory / f"{name}.kept"
            kept.unlink(missing_ok=True)
            if (self.directory / name).exists():
                shutil.copyfile(self.directory / name, kept)

    def _cut_power(self) -> None:
        (self.directory / "views.db-shm").unlink(missing_ok=True)
        for name in _VIEWS:
            kept = self.directory / f"{name}.kept"
            (self.directory / name).unlink(missing_ok=True)
            if kept.exists():
                shutil.copyfile(kept, self.directory / name)

    async def read(self) -> None:
        """Somebody reads, knowing of everything that was answered."""
        await self.observer.some(self.live, self.served)

    async def walk(self) -> None:
        """Somebody turns a page."""
        await self.observer.walk(self.live, self.served)

    async def served(self, reading: Awaitable[Answer]) -> Answer:
        """An answer, which may have to wait until the read models have come as far as its token."""
        task = asyncio.ensure_future(reading)
        for _ in range(LONGEST_WAIT):
            await asyncio.sleep(0)
            if task.done():
                return task.result()
            await self._turn()
        raise Violation("a read waits for ever")

    async def copy(self) -> None:
        """A second copy of an old event appears at another offset, as a relay might send it."""
        log = self.live.system.log
        ends = sorted((await log.ends()).items())
        place, end = self.chance.choice(ends)
        if self.chance.random() < 0.5:  # where the newest event is
            place, end = max(ends, key=lambda entry: log.table.read(entry[0], entry[1] - 1, 1)[0].about.id)
        (old,) = log.table.read(place, self.chance.randrange(end), 1)
        assert old.event is not None
        self.ledger.happened["copies"] += 1
        with suppress(LogUnavailable):
            await self.live.system.log.append([New(old.event, old.about)])
        if self.chance.random() < 0.7:
            self.faults.crash()

    async def later(self) -> None:
        """Time passes."""
        self.clock.pass_(self.chance.choice((1_000, 60_000, 400_000, 2_000_000)))

    async def _judge(self) -> None:
        self.faults.calm_down()
        await self.live.views.project()
        await judge_views(self.directory)
        await judge_analytics(self.live, self.model, self.clock())
        await self.observer.everything(self.live, self.served)

    def _digest(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for row in self.live.system.log_db.connection.execute("SELECT * FROM records ORDER BY position"):
            digest.update(repr(row).encode())
        return digest.hexdigest()


def _loop() -> asyncio.AbstractEventLoop:
    """An event loop whose time goes by the steps it takes: time-outs do not depend on how fast the machine is."""
    loop = asyncio.new_event_loop()
    steps = itertools.count()
    loop.time = lambda: next(steps) * 1e-4  # type: ignore[method-assign]
    return loop


def simulate(seed: int) -> Result:
    """Live through a seed. Raises Violation."""
    directory = Path(tempfile.mkdtemp(prefix="simulation-", dir=_MEMORY))
    try:
        with asyncio.Runner(loop_factory=_loop) as runner:
            return runner.run(World(seed, directory).run())
    except Violation:
        raise
    except Exception as error:
        raise Violation(f"a fault that nobody expects: {error!r}") from error
    finally:
        shutil.rmtree(directory)
