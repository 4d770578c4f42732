"""From a request to an executed command: context, idempotency, answer, consistency token."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar, cast

from fastapi import Depends, Request, Response

from events.ids import AccountId, HybridClock, Millis
from rest.exchange import Exchange, exchange_of
from rest.problems import ProblemError, as_problem, body_of
from rest.rate_limits import Policy, RateLimits, TooMany
from rest.routing import inline
from rest.signing import ConsistencyTokens

from ..deciding import (
    Answer,
    CommandStore,
    Context,
    Decided,
    Decision,
    Idempotency,
    KeyReused,
    Outcome,
    Refused,
    StillRunning,
)

C = TypeVar("C")
S = TypeVar("S")

_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_NO_CONTENT = Answer(204)


def _limited(error: TooMany, state: None) -> Decided:
    raise error


# Nothing is locked, asked or remembered for it: it finds the answer that its Idempotency-Key has, or is the refusal.
_ANSWERED_BEFORE: Decision[TooMany, None] = Decision(
    entities=lambda error: (), questions=lambda error: (), state=lambda error, facts: None, decide=_limited
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The policies of the writing routes."""

    tweets: tuple[Policy, ...]
    follows: tuple[Policy, ...]
    failed_sign_ins: tuple[Policy, ...]
    registrations: tuple[Policy, ...]


class InHand:
    """Commands that were taken in and are not answered yet: `most` at once, so that waiting has an end."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.count = 0

    def __enter__(self) -> None:
        if self.count >= self._most:
            raise ProblemError("unavailable", "too many commands are waiting here", headers=(("retry-after", "1"),))
        self.count += 1

    def __exit__(self, *error: object) -> None:
        self.count -= 1


@dataclass(frozen=True, slots=True)
class Commands:
    """What the routes of the command API work with."""

    store: CommandStore
    ids: HybridClock
    tokens: ConsistencyTokens
    limits: RateLimits
    policies: Limits
    edit_window_ms: Millis
    most_bytes: int
    in_hand: InHand
    fingerprint_key: bytes
    """Of requests that are done once: without it, whoever has the database could try what a request may have said."""


class Answers(Generic[S]):
    """The Answering of a route: how it puts an accepted command, and every refusal as a problem."""

    __slots__ = ("_accepted", "_request_id")

    def __init__(self, accepted: Callable[[S, Decided], Answer], request_id: str) -> None:
        self._accepted = accepted
        self._request_id = request_id

    def accepted(self, state: S, decided: Decided) -> Answer:
        """The answer to a command that was done."""
        return self._accepted(state, decided)

    def refused(self, error: Refused) -> Answer:
        """The problem that the refusal is."""
        problem = as_problem(error)
        if problem is None:
            raise TypeError(f"{type(error).__name__} has no problem: rest.problems.explains has to name one") from error
        body = body_of(problem, self._request_id)
        headers = (("content-type", "application/problem+json"), *problem.headers)
        return Answer(problem.problem.status, body, headers)


def no_content(state: object, decided: Decided) -> Answer:
    """204."""
    return _NO_CONTENT


class Executor:
    """Executes the command of one request."""

    def __init__(self, commands: Commands, exchange: Exchange, method: str, target: str) -> None:
        self.commands = commands
        self._exchange = exchange
        self._method = method
        self._target = target

    def context(self, actor: AccountId | None, body: bytes | None = None) -> Context:
        """The command's context. `body` is given where the request may carry an Idempotency-Key (a POST)."""
        exchange = self._exchange
        once = None
        if body is not None:
            key = exchange.headers.get(b"idempotency-key")
            if key is not None and actor is not None:
                once = self._idempotency(actor, key.decode("latin-1"), body)
        return Context(actor=actor, correlation=exchange.request_id, traceparent=exchange.traceparent, idempotency=once)

    def _idempotency(self, actor: AccountId, key: str, body: bytes) -> Idempotency:
        if not _KEY.fullmatch(key):
            raise ProblemError("bad-request", "an Idempotency-Key has 1 to 255 printable characters")
        said = f"{self._method} {self._target}\n".encode() + body
        fingerprint = hashlib.blake2b(said, digest_size=16, key=self.commands.fingerprint_key).digest()
        return Idempotency(actor, key, fingerprint)

    async def execute(
        self,
        decision: Decision[C, S],
        command: C,
        context: Context,
        accepted: Callable[[S, Decided], Answer] = no_content,
    ) -> Outcome:
        """Decide it. Raises what the store raises; StillRunning becomes a 409."""
        answering = Answers(accepted, self._exchange.request_id)
        try:
            with self.commands.in_hand:
                return await self.commands.store.execute(decision, command, context, answering)
        except StillRunning:
            raise ProblemError(
                "still-running",
                "the first request with this Idempotency-Key has not been answered yet",
                headers=(("retry-after", "1"),),
            ) from None

    async def _limit(self, policies: tuple[Policy, ...], account: AccountId) -> None:
        """Take a token of each policy, and tell in the answer's headers what is left. Raises TooMany."""
        self._exchange.tell(await self.commands.limits.take(policies, account))

    async def execute_limited(
        self,
        policies: tuple[Policy, ...],
        decision: Decision[C, S],
        command: C,
        context: Context,
        accepted: Callable[[S, Decided], Answer] = no_content,
    ) -> Outcome:
        """Decide it, if the actor may as often. An answer that was given before is given again for nothing.

        It is also given where the limit is reached: who sends a request again does nothing new.
        """
        assert context.actor is not None
        try:
            await self._limit(policies, context.actor)
        except TooMany as error:
            if context.idempotency is None:
                raise
            return await self.execute(_ANSWERED_BEFORE, error, context)
        outcome = await self.execute(decision, command, context, accepted)
        if outcome.replayed:
            await self.commands.limits.give_back(policies, context.actor)
        return outcome

    async def check_limit(self, policies: tuple[Policy, ...], account: AccountId) -> None:
        """Raise TooMany where the limit is reached and no answer is kept for the request's Idempotency-Key.

        For requests whose body is not read yet, so that it may be another one with the same key.
        """
        try:
            await self.commands.limits.check(policies, account)
        except TooMany as error:
            context = self.context(account, b"")
            if context.idempotency is None:
                raise
            with contextlib.suppress(KeyReused):
                await self.execute(_ANSWERED_BEFORE, error, context)

    def headers(self, outcome: Outcome) -> list[tuple[str, str]]:
        """The headers of the outcome's answer."""
        headers = [*outcome.answer.headers]
        if outcome.answer.status < 400:
            headers.append(("consistency-token", self.commands.tokens.make(outcome.positions)))
        if outcome.replayed:
            headers.append(("idempotency-replayed", "true"))
        return headers

    def response(self, outcome: Outcome) -> Response:
        """The outcome as a response."""
        answer = outcome.answer
        response = Response(answer.body or None, answer.status)
        for name, value in self.headers(outcome):
            response.headers[name] = value
        return response


def commands_of(request: Request) -> Commands:
    """What the application was built with."""
    return cast(Commands, request.app.state.commands)


def executor(request: Request) -> Executor:
    """The executor of a request (a FastAPI dependency)."""
    exchange: Exchange = exchange_of(request)
    return Executor(commands_of(request), exchange, request.method, request.url.path)


Executing = Annotated[Executor, Depends(inline(executor))]
