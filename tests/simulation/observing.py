"""Clients that read: whatever they are told has to be what the model says, at the moment that their token names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, TypeVar

from events.consistency_token import ConsistencyToken

from .clients import Clients
from .laws import require
from .ledger import Ledger
from .model import Model
from .process import Answer, Process
from .reading import Question, every_question

T = TypeVar("T")
Served = Callable[[Awaitable[Answer]], Awaitable[Answer]]
"""Waits for an answer while the read models go on."""


class Walk:
    """A client that goes through its feed page by page, while others write."""

    def __init__(self, model: Model, viewer: str) -> None:
        self._model = model
        self.viewer = viewer
        self.cursor: str | None = None
        self.seen: list[tuple[str, str, str]] = []
        self.always = self._now()

    def _now(self) -> dict[str, tuple[str, str, str]]:
        # By activity: what is retweeted anew after it was taken back stands elsewhere, perhaps where the walk has been.
        return {a.id: (a.tweet, "retweeted" if a.retweet else "posted", a.by) for a in self._model.feed(self.viewer)}

    def go_on(self) -> None:
        """Something happened; what was in the feed all the time has to be met."""
        now = self._now()
        self.always = {id_: shown for id_, shown in self.always.items() if id_ in now}

    def page(self, body: Any) -> bool:
        """Take in a page; whether it was the last. Raises Violation."""
        self.seen += [(i["tweet"]["id"], i["reason"]["kind"], i["reason"]["by"]["id"]) for i in body["items"]]
        self.cursor = body["next_cursor"]
        if self.cursor is not None:
            return False
        require(len(set(self.seen)) == len(self.seen), f"a walk through a feed met items twice: {self.seen}")
        missed = set(self.always.values()) - set(self.seen)
        require(not missed, f"a walk through a feed missed {missed}")
        return True


class Observer:
    """Asks questions over HTTP and compares the answers."""

    def __init__(self, chance: Random, ledger: Ledger, clients: Clients) -> None:
        self._chance = chance
        self._ledger = ledger
        self._model = ledger.model
        self._clients = clients
        self.walks: list[Walk] = []

    async def some(self, process: Process, served: Served) -> None:
        """A few questions with a token that covers all that is known."""
        viewer = self._chance.choice(list(self._model.accounts.values()))
        questions = list(every_question(self._model, viewer))
        chosen = [questions[0], questions[4], questions[5], *self._chance.sample(questions, 3)]
        for question in self._chance.sample(chosen, 2):
            await self.compare(process, viewer, question, served)

    async def compare(self, process: Process, viewer: str, question: Question, served: Served) -> None:
        """Ask one question. Raises Violation where the answer is not the model's."""
        token = process.tokens.make(ConsistencyToken(self._ledger.known))
        due = question.answer()
        limit = self._chance.choice((1, 2, 5, 100)) if question.pages and len(str(due)) < 20_000 else 100
        items: list[object] = []
        cursor = None
        while True:
            target = question.path
            if question.pages:
                target += f"{'&' if '?' in target else '?'}limit={limit}" + (f"&cursor={cursor}" if cursor else "")
            answer = await served(process.request("GET", target, actor=viewer, headers=(("consistency-token", token),)))
            self._ledger.happened["reads"] += 1
            if "consistency" in answer.headers:
                self._ledger.happened["stale reads"] += 1
                return
            if answer.status != 200:
                told: object = answer.status
                break
            body = answer.json()
            if question.path == "/notifications":
                self._clients.seen[viewer] = [item["id"] for item in body["items"]]
            if not question.pages:
                told = question.short(body)
                break
            items += map(question.short, body["items"])
            cursor = body["next_cursor"]
            if cursor is None:
                told = items
                break
        require(told == due, f"GET {question.path} of {viewer} tells\n  {told}\nwhere it should tell\n  {due}")

    async def walk(self, process: Process, served: Served) -> None:
        """Begin to go through a feed, or go on."""
        if not self.walks:
            self.walks.append(Walk(self._model, self._chance.choice(list(self._model.accounts.values()))))
        walk = self.walks[0]
        target = "/feed?limit=2" + (f"&cursor={walk.cursor}" if walk.cursor else "")
        headers = (("consistency-token", process.tokens.make(ConsistencyToken(self._ledger.known))),)
        answer = await served(process.request("GET", target, actor=walk.viewer, headers=headers))
        require(answer.status == 200, f"GET {target} was answered {answer.status}")
        if walk.page(answer.json()):
            self._ledger.happened["walks"] += 1
            self.walks.remove(walk)

    async def everything(self, process: Process, served: Served) -> None:
        """All questions, those about accounts and tweets by some of the viewers."""
        for viewer in list(self._model.accounts.values()):
            for question in every_question(self._model, viewer):
                if question.path.startswith(("/feed", "/notifications", "/bookmarks")) or self._chance.random() < 0.2:
                    await self.compare(process, viewer, question, served)
