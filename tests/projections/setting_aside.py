"""A group with one projector that notes its events and fails when a test says so, with a sink in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from events.event import Envelope, Event, on
from events.first_copies import Entity
from events.fitting import Mark, Marks
from events.graph import AccountFollowed, AccountUnfollowed
from events.ids import AccountId, EventId, Millis, id_at
from events.log import New, Positions, Record, TopicPartition
from events.notifications import NotificationRaised
from projectors.projector import Projector
from runtime.processor_group import Group, Runner
from stores.dead_letters import DeadLettersInMemory
from stores.sink import UNKNOWN
from streams.stream import Stream

NOW = Millis(1_790_000_000_000)
GRAPH = TopicPartition("graph", 0)
ADA, BOB, CAROL, DAVE = (AccountId(id_at(Millis(1), name)) for name in ("ada", "bob", "carol", "dave"))


class Refusing(Exception):
    """The error of a failing handler or store."""


class Kept:
    """A Sink in memory: the writes of a batch are visible once it is committed."""

    def __init__(self) -> None:
        self.rows: list[EventId] = []
        self.staged: list[EventId] = []
        self.reached = Positions()
        self.noted: Marks = {}
        self.ids: dict[Entity, str] = {}
        self.refuses: Callable[[list[EventId]], BaseException | None] = lambda rows: None
        self.commits = 0

    async def positions(self) -> Positions:
        return Positions(self.reached)

    async def marks(self) -> Marks:
        return self.noted

    async def newest(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        return {entity: self.ids[entity] for entity in entities if entity in self.ids}

    async def begin(self) -> None:
        self.staged = []

    def applying(self, about: Envelope, at: Record | None) -> None:
        pass

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        error = self.refuses(self.staged)
        if error is not None:
            await self.abandon()
            raise error
        self.commits += 1
        self.rows += self.staged
        self.reached = self.reached.merged(positions)
        self.noted = self.noted | {place: Mark(end, last.get(place, "")) for place, end in positions.items()}
        self.ids |= newest
        self.staged = []

    async def abandon(self) -> None:
        self.staged = []

    async def check(self) -> None:
        pass

    async def close(self) -> None:
        pass


class Noting(Projector):
    """Notes the ids of its events."""

    def __init__(self, sink: Kept) -> None:
        self.sink = sink
        self.fails: Callable[[Event, Envelope], bool] = lambda event, about: False

    @on(AccountFollowed)
    @on(AccountUnfollowed)
    def graph(self, event: Event, about: Envelope) -> None:
        self.sink.staged.append(about.id)
        if self.fails(event, about):
            raise Refusing("not\nthis one")

    @on(NotificationRaised)
    def raised(self, event: NotificationRaised, about: Envelope) -> None:
        if self.fails(event, about):
            raise Refusing(f"not for {event.recipient}")


class Telling(Stream):
    """Raises a notification for each follow."""

    name = "notifications"
    model = None

    @on(AccountFollowed)
    def followed(self, event: AccountFollowed, about: Envelope) -> None:
        self.emit(
            NotificationRaised(
                notification=about.id, recipient=event.followee, kind="follow", actor=event.follower  # type: ignore[arg-type]
            ),
            about,
        )  # fmt: skip


class Log:
    """The records of one partition, in memory."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def add(self, event: Event | None, key: str, *, fault: str = "", id_: str | None = None) -> Record:
        offset = len(self.records)
        about = Envelope(EventId(id_ or id_at(Millis(NOW + offset), "event")), NOW)
        kind = "AccountFollowed" if event is None else type(event).__name__
        record = Record("graph", 0, offset, key, kind, 1, event, about, fault)
        self.records.append(record)
        return record

    def follow(self, follower: AccountId, followee: AccountId = DAVE, **options: Any) -> Record:
        return self.add(AccountFollowed(follower=follower, followee=followee), follower, **options)

    def unreadable(self, key: str, fault: str = "UnreadableEvent: no JSON") -> Record:
        return self.add(None, key, fault=fault)

    def again(self, record: Record) -> Record:
        return self.add(record.event, record.key, id_=record.about.id)

    async def read(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[Record]:
        return self.records[after.get(GRAPH, 0) :][:limit]

    async def ends(self) -> Positions:
        return Positions({GRAPH: len(self.records)})

    async def at(self, place: TopicPartition, offset: int) -> Record | None:
        return self.records[offset] if place == GRAPH and offset < len(self.records) else None


class World:
    """A log, and the group that reads it."""

    def __init__(self, *, letters: bool = True, streams: bool = False) -> None:
        self.log = Log()
        self.sink = Kept()
        self.letters = DeadLettersInMemory()
        self._keeps_letters = letters
        self.streams = streams
        self.start()

    def start(self) -> None:
        """Simulate a restart: state that is not stored is lost."""
        self.projector = Noting(self.sink)
        self.group = Group(
            "serving",
            [self.projector],
            [Telling] if self.streams else [],
            self.sink,
            letters=self.letters if self._keeps_letters else None,
            clock=lambda: NOW,
        )

    async def project(self, limit: int = 1000) -> int:
        """Apply the log from the sink's positions to its end."""
        runner = Runner(self.group, self.log, limit)
        await runner.start()
        return await runner.catch_up()

    def fail_for(self, *accounts: AccountId) -> None:
        """Make the projector fail on events of these accounts."""
        self.projector.fails = lambda event, about: getattr(event, "follower", None) in accounts

    def mend(self) -> None:
        """Make the projector succeed again."""
        self.projector.fails = lambda event, about: False

    async def pages(self) -> list[tuple[int, str]]:
        """Return offset and cause of each dead letter."""
        return [(letter.offset, letter.cause) for letter in await self.letters.page()]

    def ids(self, *records: Record) -> list[EventId]:
        return [record.about.id for record in records]

    def new(self, record: Record) -> New:
        assert record.event is not None
        return New(record.event, record.about)
