"""Execute the command of a request: context, idempotency, rate limits, answer and consistency token."""

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
from rest.rate_limits import RateLimits, RatePolicy, TooMany
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


# Locks, asks and stores nothing: executing it returns the answer stored with the Idempotency-Key, or raises TooMany.
_ANSWERED_BEFORE: Decision[TooMany, None] = Decision(
    entities=lambda error: (), questions=lambda error: (), state=lambda error, facts: None, decide=_limited
)


@dataclass(frozen=True, slots=True)
class WriteLimits:
    """The rate limits of the routes that change something."""

    tweets: tuple[RatePolicy, ...]
    follows: tuple[RatePolicy, ...]
    failed_sign_ins: tuple[RatePolicy, ...]
    registrations: tuple[RatePolicy, ...]


class InHand:
    """Limits the requests in progress to `most` at once; beyond it they get 503 instead of waiting in a long queue."""

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
    """The dependencies of all routes of the command API."""

    store: CommandStore
    ids: HybridClock
    tokens: ConsistencyTokens
    limits: RateLimits
    policies: WriteLimits
    edit_window_ms: Millis
    most_bytes: int
    in_hand: InHand
    fingerprint_key: bytes
    """Keys the fingerprints of requests, so that nobody with the database can guess the content of a request."""


class CommandAnswers(Generic[S]):
    """The Answering of a route: the route answers an accepted command, and each refusal becomes its problem."""

    __slots__ = ("_accepted", "_request_id")

    def __init__(self, accepted: Callable[[S, Decided], Answer], request_id: str) -> None:
        self._accepted = accepted
        self._request_id = request_id

    def accepted(self, state: S, decided: Decided) -> Answer:
        """Return the route's answer to an accepted command."""
        return self._accepted(state, decided)

    def refused(self, error: Refused) -> Answer:
        """Return the problem of a refusal. Raises TypeError if it has none."""
        problem = as_problem(error)
        if problem is None:
            raise TypeError(f"{type(error).__name__} has no problem: rest.problems.explains has to name one") from error
        body = body_of(problem, self._request_id)
        headers = (("content-type", "application/problem+json"), *problem.headers)
        return Answer(problem.problem.status, body, headers)


def no_content(state: object, decided: Decided) -> Answer:
    """Return 204 without a body."""
    return _NO_CONTENT


class Executor:
    """Executes the command of one request."""

    def __init__(self, commands: Commands, exchange: Exchange, method: str, target: str) -> None:
        self.commands = commands
        self._exchange = exchange
        self._method = method
        self._target = target

    def context(self, actor: AccountId | None, body: bytes | None = None) -> Context:
        """Return the context of the command. Pass `body` if the request may carry an Idempotency-Key (a POST)."""
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
        """Execute a command. Raises as `CommandStore.execute`, but the problem `still-running` for StillRunning."""
        answering = CommandAnswers(accepted, self._exchange.request_id)
        try:
            with self.commands.in_hand:
                return await self.commands.store.execute(decision, command, context, answering)
        except StillRunning:
            raise ProblemError(
                "still-running",
                "the first request with this Idempotency-Key has not been answered yet",
                headers=(("retry-after", "1"),),
            ) from None

    async def _limit(self, policies: tuple[RatePolicy, ...], account: AccountId) -> None:
        """Take a token of each policy and set the rate-limit headers of the answer. Raises TooMany."""
        self._exchange.tell(await self.commands.limits.take(policies, account))

    async def execute_limited(
        self,
        policies: tuple[RatePolicy, ...],
        account: AccountId,
        decision: Decision[C, S],
        command: C,
        context: Context,
        accepted: Callable[[S, Decided], Answer] = no_content,
    ) -> Outcome:
        """Execute a command within the rate limits of an account. Raises as `execute`, and TooMany.

        A repeated request with the same Idempotency-Key gets its stored answer, even if the limit is reached, and takes
        no token.
        """
        try:
            await self._limit(policies, account)
        except TooMany as error:
            if context.idempotency is None:
                raise
            return await self.execute(_ANSWERED_BEFORE, error, context)
        outcome = await self.execute(decision, command, context, accepted)
        if outcome.replayed:
            await self.commands.limits.give_back(policies, account)
        return outcome

    async def check_limit(self, policies: tuple[RatePolicy, ...], account: AccountId) -> None:
        """Raise TooMany if the limit is reached and no answer is stored with the request's Idempotency-Key.

        For requests whose body is not read yet: a KeyReused that comes from the missing body is ignored.
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
        """Return the headers of the answer, with Consistency-Token and Idempotency-Replayed where they apply."""
        headers = [*outcome.answer.headers]
        if outcome.answer.status < 400:
            headers.append(("consistency-token", self.commands.tokens.make(outcome.token)))
        if outcome.replayed:
            headers.append(("idempotency-replayed", "true"))
        return headers

    def response(self, outcome: Outcome) -> Response:
        """Return the outcome as an HTTP response."""
        answer = outcome.answer
        response = Response(answer.body or None, answer.status)
        for name, value in self.headers(outcome):
            response.headers[name] = value
        return response


def commands_of(request: Request) -> Commands:
    """Return the `Commands` of the application."""
    return cast(Commands, request.app.state.commands)


def executor(request: Request) -> Executor:
    """Return the executor of a request (a FastAPI dependency)."""
    exchange: Exchange = exchange_of(request)
    return Executor(commands_of(request), exchange, request.method, request.url.path)


Executing = Annotated[Executor, Depends(inline(executor))]
