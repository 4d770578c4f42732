"""One run: a world made from a seed, in which clients, time and accidents take turns, and which is judged at the end."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeVar

import apsw

from command_api.credentials import RefreshToken
from command_api.deciding import Context
from command_api.domain.import_tweet import IMPORT_TWEET, ImportTweet
from command_api.domain.register_account import REGISTER_ACCOUNT, RegisterAccount
from command_api.domain.start_session import NewSession
from command_api.text.entities import extract
from events.ids import AccountId, Millis, SessionId
from events.log import LogUnavailable, New, Positions, Record, positions_after
from runtime.embedded.answering import WhetherNew
from runtime.embedded.processors import ALL_TABLES
from runtime.embedded.projecting import AlreadyRebuilding
from stores.sink import StoreUnavailable

from .clients import LATE_NAMES, NAMES, Clients, said
from .faults import Clock, Faults
from .judging import judge_analytics, judge_views
from .laws import Violation, require
from .ledger import UNAVAILABLE, Attempt, Ledger
from .model import Command, Model, Text
from .observing import Observer
from .process import Answer, Process

T = TypeVar("T")
ACTS = 80
_LONGEST_WAIT = 2000
_VIEWS = ("views.db", "views.db-wal")
_SHM = Path("/dev/shm")
_MEMORY = _SHM if _SHM.is_dir() else None
"""Files in memory: a simulated crash loses what was not committed, whatever a disk would have done."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run. `digest` is over every byte of the log's records."""

    seed: int
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
        self.ledger = Ledger(self.model, lambda token: self.live.tokens.read(token))
        self.clients = Clients(self.chance, self.model)
        self.observer = Observer(self.chance, self.ledger, self.clients)
        self.faults = Faults(self.chance)
        self.process: Process | None = None
        self.followed = Positions()
        self.seen: set[str] = set()
        self.newest: dict[tuple[str, str], str] = {}
        self.requests = 0
        self.keys: list[Attempt] = []
        self.in_flight: list[Attempt] = []
        self.unanswered: list[Attempt] = []
        self.order: list[str] = []

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
                await self.surviving(lambda name=name: self.register(name))
            self.faults.schedule()
            for _ in range(ACTS):
                await self.act()
            await self._judge()
            return Result(0, self._digest(), self.ledger.happened)
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
                    self.directory, self.clock, self.faults, self.chance, self.bytes.randbytes, self.order
                )
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
        self.clock.pass_(self.chance.choice((-4000, -900, -50, 0, 300)))

    async def act(self) -> None:
        """One thing happens; if the process dies of it, the next one opens what it left."""
        acts = (
            (self.wave, 20),
            (self.project, 9),
            (self.read, 5),
            (self.walk, 3),
            (self.repeat, 2),
            (self.copy, 2),
            (self.later, 2),
            (self.newcomer, 1),
            (self.rebuild, 1),
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
            await self._settle()
            if self.chance.random() < 0.8:
                await self.surviving(self._try_again)

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
        await self.follow()

    async def newcomer(self) -> None:
        """Somebody joins who may have been mentioned before."""
        missing = [name for name in LATE_NAMES if name not in self.model.accounts]
        if missing:
            await self.register(missing[0])

    async def wave(self) -> None:
        """Some commands at once."""
        attempts = []
        for command in self.clients.wave(self.clock()):
            key = None
            if self.chance.random() < 0.4:
                key = f"key-{self.requests}"
            attempts.append(self._attempt(command, key))
            if key is not None and self.chance.random() < 0.1:
                attempts.append(self._attempt(command, key))
        await self._send(attempts)

    async def repeat(self) -> None:
        """A client sends an answered request again, or another one with the same key."""
        if self.keys:
            old = self.chance.choice(self.keys)
            command = old.command
            if self.chance.random() < 0.4:
                command = self.clients.command(self.clock())
                if command.actor != old.command.actor or command.verb not in POSTED:
                    return
            await self._send([self._attempt(command, old.key)])

    async def _try_again(self) -> None:
        """Clients that got no answer, or the one to try again, send the same requests again."""
        await self._send([self._attempt(a.command, a.key) for a in self.unanswered])

    def _attempt(self, command: Command, key: str | None) -> Attempt:
        self.requests += 1
        if command.verb not in POSTED:
            key = None
        return Attempt(command, f"request-{self.requests}", self.clock(), key)

    async def _send(self, attempts: list[Attempt]) -> None:
        """Send requests at once, and compare what came of them with what was due."""
        self.in_flight = attempts
        sent = [asyncio.ensure_future(self._one(attempt)) for attempt in attempts]
        for _ in range(_LONGEST_WAIT):
            if all(task.done() for task in sent) or not self.faults.alive:
                break
            await asyncio.sleep(0)
        for attempt, task in zip(attempts, sent, strict=True):
            if task.done() and task.exception() is None:
                attempt.answer = task.result()
            elif self.faults.alive:
                require(task.done(), f"{attempt} is never answered")
                task.result()
        self.faults.step()
        await self._settle()
        self.keys += [a for a in attempts if a.key is not None]
        if self.unanswered and self.chance.random() < 0.7:
            await self._try_again()

    async def _one(self, attempt: Attempt) -> Answer:
        command = attempt.command
        if command.verb == "import":
            post = ImportTweet(
                AccountId(command.actor),
                command.source,
                Millis(command.at),
                command.text.text,
                extract(command.text.text),
            )
            context = Context(actor=AccountId(command.actor), correlation=attempt.id, time=Millis(command.at))
            try:
                outcome = await self.live.system.commands.execute(IMPORT_TWEET, post, context, WhetherNew())
            except LogUnavailable:
                return Answer(503, {}, b"")
            return Answer(outcome.answer.status, {}, b"")
        names = {account: name for name, account in self.model.accounts.items()}
        request = said(command, names)
        headers = (("x-request-id", attempt.id), *request.headers)
        if attempt.key is not None:
            headers += (("idempotency-key", attempt.key),)
        return await self.live.request(
            request.method, request.path, actor=command.actor, body=request.body, headers=headers
        )

    async def _settle(self) -> None:
        """Compare what was sent, in the order in which the command side got it, with what is in the log."""
        appended = await self.follow()
        order = {id_: place for place, id_ in enumerate(self.order)}
        self.order.clear()
        attempts, self.in_flight = self.in_flight, []
        self.unanswered = [a for a in attempts if a.answer is None or a.answer.status == UNAVAILABLE]
        for attempt in sorted(attempts, key=lambda a: order.get(a.id, len(order))):
            self.ledger.settle(attempt, appended.pop(attempt.id, ()))
        for walk in self.observer.walks:
            walk.go_on()
        require(not appended, f"the log has events that nobody asked for: {list(appended)}")

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
        for _ in range(_LONGEST_WAIT):
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
        if self.chance.random() < 0.3:
            self.faults.crash()

    async def later(self) -> None:
        """Time passes."""
        self.clock.pass_(self.chance.choice((1_000, 60_000, 400_000, 2_000_000)))

    # What is looked at

    async def follow(self) -> dict[str, list[Record]]:
        """What is new in the log, by the request that it came of; copies are not new. Raises Violation."""
        found: dict[str, list[Record]] = {}
        while records := await self.live.system.log.read(self.followed, 1000):
            for record in records:
                require(record.offset == self.followed.get(record.place, 0), f"{record} stands after a hole")
                self.followed[record.place] = record.offset + 1
                if record.about.id in self.seen:
                    continue
                self.seen.add(record.about.id)
                entity = (record.topic, record.key)
                newest = self.newest.get(entity, "")
                require(record.about.id > newest, f"{record} has the id {record.about.id}, not past {newest}")
                self.newest[entity] = record.about.id
                if record.about.correlation.startswith("begin-") and record.event is not None:
                    self.model.fold(record.event, record.about, Text(""))
                    self.ledger.known = positions_after((record,), self.ledger.known)
                elif record.topic != "operations":
                    found.setdefault(record.about.correlation, []).append(record)
        return found

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


POSTED = frozenset({"post", "like", "retweet", "bookmark", "follow", "block", "mute", "read_one", "read_all"})
"""The verbs that are said by a POST, and so may have an Idempotency-Key."""


def simulate(seed: int) -> Result:
    """Live through a seed. Raises Violation."""
    directory = Path(tempfile.mkdtemp(prefix="simulation-", dir=_MEMORY))
    try:
        return asyncio.run(World(seed, directory).run())
    except Violation:
        raise
    except Exception as error:
        raise Violation(f"a fault that nobody expects: {error!r}") from error
    finally:
        shutil.rmtree(directory)


__all__ = ["Result", "Violation", "World", "simulate"]
