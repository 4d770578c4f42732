"""The port of the command side: load, decide and append, in one transaction.

A decision is pure: `decide(command, state)` gives events or raises a Refused. Around it the store locks, in sorted
order, the entity of every event that may be appended, answers the decision's questions, decides, issues the event
ids, and stores what changed, the idempotency record with its answer, and the events, all or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from events.event import Envelope, Event
from events.first_copies import Entity
from events.ids import AccountId, EventId, HybridClock, Millis
from events.log import New, Positions

from .facts import Facts, Question

C = TypeVar("C")
S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)


class Refused(Exception):
    """A command may not be done. Subclasses say why (command_api/domain/errors.py); the edge gives them a status."""


class PrivateChange:
    """A change that never enters the log: credentials and tokens (command_api/credentials.py)."""

    __slots__ = ()


Decided = Sequence[Event | PrivateChange]


@dataclass(frozen=True, slots=True)
class Decision(Generic[C, S]):
    """How one kind of command is decided; each module of domain/ states one.

    `entities` names what is locked, `questions` what is read, `state` makes of the answers what the decision needs.
    """

    entities: Callable[[C], tuple[Entity, ...]]
    questions: Callable[[C], tuple[Question[Any], ...]]
    state: Callable[[C, Facts], S]
    decide: Callable[[C, S], Decided]


class Idempotency(msgspec.Struct, frozen=True, gc=False):
    """A client's key for a request, and a fingerprint of the request: the same key never serves another request."""

    user: str
    key: str
    fingerprint: bytes


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What the client is told; kept with the idempotency key."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Answering(Protocol[S_contra]):
    """Makes the answer inside the transaction, so that the same command is answered alike for ever after."""

    def accepted(self, state: S_contra, decided: Decided) -> Answer:
        """The answer to a command that was done."""
        ...

    def refused(self, error: Refused) -> Answer:
        """The answer to one that was not."""
        ...


class Context(msgspec.Struct, frozen=True, gc=False):
    """What is known about a command besides its content; it becomes the events' envelope.

    `time` is when it happened, if that is not now (an import).
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
    """The answer, and the positions that a read has to reach to see the command's effect.

    A command that changed nothing has the positions of the write that made it so, or later ones.
    """

    answer: Answer
    positions: Positions
    replayed: bool = False


class KeyReused(Refused):
    """The idempotency key was used for another request."""


class StillRunning(Exception):
    """The first request with this idempotency key has not been answered yet."""


class CommandStore(Protocol):
    """Executes decisions. tests/contracts/test_command_store.py is what every adapter must pass."""

    async def execute(self, decision: Decision[C, S], command: C, context: Context, answering: Answering[S]) -> Outcome:
        """Decide a command; when this returns, its effect and its answer are durable.

        Raises the decision's Refused (with an idempotency key it is remembered as the answer), KeyReused,
        StillRunning, and LogUnavailable, after which nothing took effect.
        """
        ...

    async def ask(self, *questions: Question[Any]) -> Facts:
        """Answers as of the newest commit, outside any command: for authentication."""
        ...

    async def execute_some(
        self,
        commands: Sequence[tuple[Decision[Any, Any], Any, Context]],
        answering: Answering[Any],
        in_time: Callable[[], bool],
    ) -> list[Outcome | Refused]:
        """Decide the first of the commands, one at least, as long as `in_time` says, for imports.

        Each entity's are decided in their order. A refusal stands for its outcome. None of them has an idempotency
        key. Raises LogUnavailable, after which some of them may have been done.
        """
        ...
