"""The port of the command side: load, decide and append in one transaction.

A decision is pure: `decide(command, state)` returns events or raises a Refused. The store does the rest. It locks the
entity of every event that may be appended, in sorted order, and answers the questions of the decision. Then it decides,
issues the event ids, and stores the decision state, the events and the idempotency record with its answer, all or
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from events.consistency_token import ConsistencyToken
from events.event import Envelope, Event
from events.first_copies import Entity
from events.ids import AccountId, EventId, HybridClock, Millis
from events.log import New

from .facts import Facts, Question

C = TypeVar("C")
S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)


class Refused(Exception):
    """A command is refused. Subclasses say why (command_api/domain/errors.py); the routes map them to problems."""


class PrivateChange:
    """A change that a decision makes outside the log: of passwords and tokens (command_api/credentials.py)."""

    __slots__ = ()


Decided = Sequence[Event | PrivateChange]


@dataclass(frozen=True, slots=True)
class Decision(Generic[C, S]):
    """How one kind of command is decided; each module of domain/ defines one.

    `entities` returns the entities to lock, `questions` the questions to ask. `state` builds the decision's state from
    the answers, and `decide` returns the events.
    """

    entities: Callable[[C], tuple[Entity, ...]]
    questions: Callable[[C], tuple[Question[Any], ...]]
    state: Callable[[C, Facts], S]
    decide: Callable[[C, S], Decided]


class Idempotency(msgspec.Struct, frozen=True, gc=False):
    """A client's key for a request, and a fingerprint of the request, so that no other request can use the same key."""

    account: str
    key: str
    fingerprint: bytes


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The HTTP answer to a command; stored with the idempotency key."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Answering(Protocol[S_contra]):
    """Makes the answer inside the transaction, so that it is stored with the effect and a repeated command gets it."""

    def accepted(self, state: S_contra, decided: Decided) -> Answer:
        """Return the answer to an accepted command."""
        ...

    def refused(self, error: Refused) -> Answer:
        """Return the answer to a refused command."""
        ...


class Context(msgspec.Struct, frozen=True, gc=False):
    """The metadata of a command; the envelopes of its events take it over.

    `time` is the time of the events, for an import of the past; None means now.
    """

    actor: AccountId | None = None
    correlation: str = ""
    causation: str = ""
    traceparent: str = ""
    time: Millis | None = None
    idempotency: Idempotency | None = None

    def new(self, event: Event, ids: HybridClock) -> New:
        """An event of the command, with its envelope."""
        about = Envelope(
            id=EventId(ids.issue()),
            time=ids.now() if self.time is None else self.time,
            correlation=self.correlation,
            causation=self.causation,
            actor=self.actor or "",
            traceparent=self.traceparent,
        )
        return New(event, about)


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The answer, and the token of the write: a read that waits for it sees the effect of the command.

    A command that changed nothing has the token of the earlier write with the same effect, or of a later one.
    `replayed` is true if the answer was stored with the idempotency key by an earlier request.
    """

    answer: Answer
    token: ConsistencyToken
    replayed: bool = False


class KeyReused(Refused):
    """The idempotency key was used for another request."""


class StillRunning(Exception):
    """The first request with this idempotency key has not been answered yet."""


class CommandStore(Protocol):
    """Executes decisions. Every adapter passes tests/contracts/test_command_store.py."""

    async def execute(self, decision: Decision[C, S], command: C, context: Context, answering: Answering[S]) -> Outcome:
        """Decide a command; when this returns, its effect and its answer are durable.

        Raises the decision's Refused (with an idempotency key, it is stored as the answer), KeyReused, StillRunning and
        LogUnavailable. After each of them the command has no effect.
        """
        ...

    async def ask(self, *questions: Question[Any]) -> Facts:
        """Answer questions as of the newest commit, outside any command."""
        ...

    async def execute_some(
        self,
        commands: Sequence[tuple[Decision[Any, Any], Any, Context]],
        answering: Answering[Any],
        in_time: Callable[[], bool],
    ) -> list[Outcome | Refused]:
        """Decide commands of an import from the first on until `in_time` returns false, and at least one.

        Returns the outcome or the refusal of each decided command, in order. Commands of one entity are decided in
        their order. No command may have an idempotency key. Raises LogUnavailable, after which some of the commands
        may have taken effect.
        """
        ...
