"""Holds what clients were told against what the log says, and feeds the model with what is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from events.event import Event
from events.log import Positions, Record, positions_after

from .laws import require
from .model import Command, Model
from .process import Answer
from .rules import Expected, Rules, Wanted

UNAVAILABLE = 503
TOPIC_OF = (
    dict.fromkeys(("post", "edit", "delete"), "tweets")
    | dict.fromkeys(("like", "unlike", "retweet", "unretweet"), "engagement")
    | dict.fromkeys(("follow", "unfollow", "block", "unblock"), "graph")
    | {"profile": "accounts"}
    | dict.fromkeys(("mute", "unmute", "bookmark", "unbookmark", "read_one", "read_all"), "personal")
)
"""The topic that the events of a verb go to, keyed by the one who acts."""


@dataclass(slots=True)
class Attempt:
    """A command as it was sent once; `answer` is None where the process died before it could say."""

    command: Command
    id: str
    at: int
    key: str | None = None
    answer: Answer | None = None


@dataclass(slots=True)
class Remembered:
    """What an idempotency key stands for. `certain` says whether it was stored for sure."""

    command: Command
    status: int
    certain: bool
    body: bytes | None = None


@dataclass
class Ledger:
    """The model, the keys in use, and what happened."""

    model: Model
    tokens: Callable[[str], Positions]
    """Reads a Consistency-Token."""
    keys: dict[tuple[str, str], Remembered] = field(default_factory=dict)
    newest: dict[tuple[str, str], Positions] = field(default_factory=dict)
    """Just past the newest event of each entity (a topic and a key)."""
    known: Positions = field(default_factory=Positions)
    """Past everything that clients know of: by the tokens they were given, or because they looked it up."""
    happened: Counter[str] = field(default_factory=Counter)

    def settle(self, attempt: Attempt, appended: Sequence[Record]) -> None:
        """Take in one attempt, in the order in which the command side got them. Raises Violation."""
        answer = attempt.answer
        events = [record.event for record in appended if record.event is not None]
        name = f"{attempt.command.verb} {attempt.id}"
        kept = self._remembered(attempt)
        if answer is not None and answer.status == 409 and attempt.key is not None:
            require(not events, f"{name} was told to wait, and appended {events}")
            return
        replayed = answer is not None and "idempotency-replayed" in answer.headers
        if kept is not None and (kept.certain or replayed):
            self._replay(name, attempt, kept, events)
            return
        expected = Rules(self.model).expect(attempt.command, attempt.at)
        if answer is None:
            self.happened["unknown outcomes"] += 1
            if not events:
                if attempt.key is not None and not expected.events:
                    self._keep(attempt, expected, certain=False)
                return
        elif answer.status == UNAVAILABLE:
            self.happened["refused by the disk"] += 1
            require(not events, f"{name} was answered {answer.status} and appended {events}")
            return
        else:
            self.happened[f"{attempt.command.verb} {answer.status}"] += 1
            require(answer.status == expected.status, f"{name} was answered {answer.status}, not {expected.status}")
        self._compare(name, expected.events, events)
        for record in appended:
            assert record.event is not None
            self.model.fold(record.event, record.about, attempt.command.text)
            self.newest[record.topic, record.key] = Positions({record.place: record.offset + 1})
        self._token(name, attempt, appended)
        if attempt.key is not None:
            self._keep(attempt, expected, certain=True)

    def _token(self, name: str, attempt: Attempt, appended: Sequence[Record]) -> None:
        """A token covers the write, or, where there was nothing to do, the write that made it so."""
        token = None if attempt.answer is None else attempt.answer.headers.get("consistency-token")
        if token is None:
            self.known = positions_after(appended, self.known)
            return
        given = self.tokens(token)
        due = self.newest.get((TOPIC_OF[attempt.command.verb], attempt.command.actor), Positions())
        require(given.covers(due), f"the token of {name} names {given}, its entity stands at {due}")
        self.known = self.known.merged(given)

    def _remembered(self, attempt: Attempt) -> Remembered | None:
        return None if attempt.key is None else self.keys.get((attempt.command.actor, attempt.key))

    def _keep(self, attempt: Attempt, expected: Expected, *, certain: bool) -> None:
        assert attempt.key is not None
        body = None if attempt.answer is None else attempt.answer.body
        kept = Remembered(attempt.command, expected.status, certain, body)
        self.keys[attempt.command.actor, attempt.key] = kept

    def _replay(self, name: str, attempt: Attempt, kept: Remembered, events: Sequence[Event]) -> None:
        require(not events, f"{name} repeats an answered request, and appended {events} (law 6)")
        answer = attempt.answer
        if answer is None or answer.status == UNAVAILABLE:
            return
        if attempt.command != kept.command:
            require(answer.status == 422, f"{name} has the key of another request, and was answered {answer.status}")
            return
        self.happened["replays"] += 1
        require("idempotency-replayed" in answer.headers, f"{name} was not answered as a replay (law 6)")
        require(answer.status == kept.status, f"{name} was answered {answer.status}, {kept.status} before (law 6)")
        require(kept.body is None or answer.body == kept.body, f"{name} was answered with another body (law 6)")
        kept.certain, kept.body = True, answer.body

    def _compare(self, name: str, wanted: Sequence[Wanted], events: Sequence[Event]) -> None:
        found = [type(event).__name__ for event in events]
        require(
            found == [w.kind.__name__ for w in wanted],
            f"{name} has {found} in the log where {[w.kind.__name__ for w in wanted]} are due (laws 1 and 6)",
        )
        for want, event in zip(wanted, events, strict=True):
            for field_name, value in want.fields.items():
                actual = getattr(event, field_name)
                require(actual == value, f"{name}: {field_name} is {actual!r} in the log, not {value!r}")
