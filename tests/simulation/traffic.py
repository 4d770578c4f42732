"""Requests on their way: sent at once, lost with a process that dies, sent again, and settled with the log."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from command_api.deciding import Context, Outcome
from command_api.domain.change_role import CHANGE_ROLE, ChangeRole
from command_api.domain.import_follow import IMPORT_FOLLOW, ImportFollow
from command_api.domain.import_tweet import IMPORT_TWEET, ImportTweet
from command_api.text.entities import extract
from events.ids import AccountId, Millis
from events.log import LogUnavailable, Positions, Record, positions_after
from runtime.command_answers import WhetherNew

from .clients import Clients, said
from .faults import Clock
from .laws import require
from .ledger import UNAVAILABLE, Attempt, Ledger
from .model import Command, Text
from .observing import Observer
from .process import Answer, Process

LONGEST_WAIT = 2000
"""Steps of the event loop after which an answer counts as never given."""
POSTED = frozenset({"post", "like", "retweet", "bookmark", "follow", "block", "mute", "read_one", "read_all"})
"""The verbs that are said by a POST, and so may have an Idempotency-Key."""


class Traffic:
    """What clients send, and what became of it."""

    def __init__(self, chance: Random, clock: Clock, ledger: Ledger, clients: Clients, observer: Observer) -> None:
        self._chance = chance
        self._clock = clock
        self._ledger = ledger
        self._clients = clients
        self._observer = observer
        self._sent = 0
        self._keys: list[Attempt] = []
        self._in_flight: list[Attempt] = []
        self._unanswered: list[Attempt] = []
        self._followed = Positions()
        self._seen: set[str] = set()
        self._newest: dict[tuple[str, str], str] = {}
        self.order: list[str] = []
        """The requests in the order in which the command side got them."""

    # Sending

    async def wave(self, process: Process) -> None:
        """Some commands at once."""
        attempts = []
        for command in self._clients.wave(self._clock()):
            key = f"key-{self._sent}" if self._chance.random() < 0.4 else None
            attempts.append(self._attempt(command, key))
            if key is not None and self._chance.random() < 0.1:
                attempts.append(self._attempt(command, key))
        await self._send(process, attempts)

    async def repeat(self, process: Process) -> None:
        """A client sends an answered request again, or another one with the same key."""
        if self._keys:
            old = self._chance.choice(self._keys)
            command = old.command
            if self._chance.random() < 0.4:
                command = self._clients.command(self._clock())
                if command.actor != old.command.actor or command.verb not in POSTED:
                    return
            await self._send(process, [self._attempt(command, old.key)])

    async def try_again(self, process: Process) -> None:
        """Clients that got no answer, or the one to try again, send the same requests again."""
        await self._send(process, [self._attempt(a.command, a.key) for a in self._unanswered])

    def _attempt(self, command: Command, key: str | None) -> Attempt:
        self._sent += 1
        return Attempt(command, f"request-{self._sent}", self._clock(), key if command.verb in POSTED else None)

    async def _send(self, process: Process, attempts: list[Attempt]) -> None:
        self._in_flight = attempts
        sent = [asyncio.ensure_future(self._one(process, attempt)) for attempt in attempts]
        for _ in range(LONGEST_WAIT):
            if all(task.done() for task in sent) or not process.faults.alive:
                break
            await asyncio.sleep(0)
        for attempt, task in zip(attempts, sent, strict=True):
            if task.done() and task.exception() is None:
                attempt.answer = task.result()
            elif process.faults.alive:
                require(task.done(), f"{attempt} is never answered")
                task.result()
        process.faults.step()
        await self.settle(process)
        self._keys += [a for a in attempts if a.key is not None]
        if self._unanswered and self._chance.random() < 0.9:
            await self.try_again(process)

    async def _one(self, process: Process, attempt: Attempt) -> Answer:
        if attempt.command.verb.startswith("import"):
            return await self._import(process, attempt)
        if attempt.command.verb == "role":
            return await self._change_role(process, attempt)
        request = said(attempt.command, {account: name for name, account in self._ledger.model.accounts.items()})
        headers = (("x-request-id", attempt.id), *request.headers)
        if attempt.key is not None:
            headers += (("idempotency-key", attempt.key),)
        actor = attempt.command.actor
        return await process.request(request.method, request.path, actor=actor, body=request.body, headers=headers)

    async def _import(self, process: Process, attempt: Attempt) -> Answer:
        """Imports come from the command line, with times of their own."""
        c = attempt.command
        actor, at = AccountId(c.actor), Millis(c.at)
        decision: Any = IMPORT_FOLLOW if c.verb == "import_follow" else IMPORT_TWEET
        command: Any = ImportFollow(actor, AccountId(c.other))
        if decision is IMPORT_TWEET:
            command = ImportTweet(actor, c.source, at, c.text.text, extract(c.text.text))
        context = Context(actor=actor, correlation=attempt.id, time=at)
        execute_some = process.system.commands.execute_some
        try:
            (outcome,) = await execute_some([(decision, command, context)], WhetherNew(), lambda: True)
        except LogUnavailable:
            return Answer(UNAVAILABLE, {}, b"")
        require(isinstance(outcome, Outcome), f"{attempt} was refused: {outcome!r}")
        assert isinstance(outcome, Outcome)
        return Answer(outcome.answer.status, {}, b"")

    async def _change_role(self, process: Process, attempt: Attempt) -> Answer:
        """Roles come from the command line. Once given, a role counts in the same process."""
        c = attempt.command
        assert c.role is not None
        account, context = AccountId(c.actor), Context(correlation=attempt.id)
        try:
            outcome = await process.system.commands.execute(
                CHANGE_ROLE, ChangeRole(account, c.role), context, WhetherNew()
            )
        except LogUnavailable:
            return Answer(UNAVAILABLE, {}, b"")
        return Answer(outcome.answer.status, {}, b"")

    # Settling

    async def settle(self, process: Process) -> None:
        """Compare what was sent, in the order in which the command side got it, with what is in the log."""
        appended = await self.follow(process)
        order = {id_: place for place, id_ in enumerate(self.order)}
        self.order.clear()
        attempts, self._in_flight = self._in_flight, []
        self._unanswered = [a for a in attempts if a.answer is None or a.answer.status == UNAVAILABLE]
        for attempt in sorted(attempts, key=lambda a: order.get(a.id, len(order))):
            self._ledger.settle(attempt, appended.pop(attempt.id, ()))
        for walk in self._observer.walks:
            walk.go_on()
        require(not appended, f"the log has events that nobody asked for: {list(appended)}")

    async def follow(self, process: Process) -> dict[str, list[Record]]:
        """What is new in the log, by the request that it came of; copies are not new. Raises Violation."""
        found: dict[str, list[Record]] = {}
        while records := await process.system.log.read(self._followed, 1000):
            for record in records:
                require(record.offset == self._followed.get(record.place, 0), f"{record} stands after a hole")
                self._followed[record.place] = record.offset + 1
                if record.about.id in self._seen:
                    continue
                self._seen.add(record.about.id)
                entity = (record.topic, record.key)
                newest = self._newest.get(entity, "")
                require(record.about.id > newest, f"{record} has the id {record.about.id}, not past {newest}")
                self._newest[entity] = record.about.id
                if record.about.correlation.startswith("begin-") and record.event is not None:
                    self._ledger.model.fold(record.event, record.about, Text(""))
                    self._ledger.known = positions_after((record,), self._ledger.known)
                elif record.topic != "operations":
                    found.setdefault(record.about.correlation, []).append(record)
        return found
