"""Decides which records of a batch a group applies, which become dead letters, and when there are too many.

A record that cannot be applied becomes a dead letter. Later records of its entity are held back behind it; records of
all other entities are applied. If more than MOST of the last WINDOW records fail, the records are not the cause: the
group stops, before it sets its whole log aside.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from events.first_copies import Entity
from events.ids import Clock
from events.log import DAMAGED, Record, TopicPartition
from runtime.discards import Discarded
from stores.dead_letters import DeadLetter, DeadLetters, all_letters

WINDOW = 10_000
MOST = 10
"""1 in 1,000."""

Place = tuple[TopicPartition, int]


class CannotApply(Exception):
    """A group without dead letters met a record that it cannot apply: a rebuild ends here."""

    def __init__(self, group: str, record: Record, cause: str) -> None:
        mend = (
            "The log is damaged: restore log.db from a backup that has the record. Without one, give the record up:"
            if cause == DAMAGED
            else "Mend the cause and try again, or give the record up:"
        )
        super().__init__(
            f"{record} cannot be applied: {cause}. {mend}"
            f" `minitwitter dead-letters discard {record.position} --group {group} --yes`"
        )
        self.record = record


class TooManyDeadLetters(Exception):
    """So many records fail that the cause is not in them. The group applies nothing until it is repaired."""

    def __init__(self, letter: DeadLetter) -> None:
        of_type = f" ({letter.type})" if letter.type else ""
        super().__init__(
            f"{letter.group} stopped at {letter.position}{of_type}: {letter.cause}. More than {MOST} of the last"
            f" {WINDOW:,} records could not be applied. Mend the cause, start again, and run `minitwitter dead-letters"
            " retry --all`. Where nobody can read the records: `minitwitter dead-letters discard --unreadable` shows"
            " them, and with `--yes` gives them up; start the workers that have stopped after that"
        )


@dataclass
class _Held:
    """The dead letters of one entity: the offset of the first in each partition, and their positions.

    An entity is in one partition, unless another program wrote its key to a second one.
    """

    firsts: dict[TopicPartition, int] = field(default_factory=dict)
    offsets: set[Place] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)

    def note(self, letter: DeadLetter) -> None:
        place = (letter.place, letter.offset)
        self.firsts[letter.place] = min(self.firsts.get(letter.place, letter.offset), letter.offset)
        self.offsets.add(place)
        if letter.event_id:
            self.ids.add(letter.event_id)

    def holds_back(self, record: Record) -> bool:
        """Return whether the record is at or behind the first letter. An earlier one was delivered again."""
        first = self.firsts.get(record.place)
        return first is not None and record.offset >= first


class SettingAside:
    """The dead letters of one group, in memory. `letters` is None if nothing may be set aside."""

    def __init__(self, group: str, letters: DeadLetters | None, discarded: Discarded, clock: Clock) -> None:
        self.group = group
        self.letters = letters
        self.discarded = discarded
        self._clock = clock
        self._held: dict[Entity, _Held] | None = None
        self._seen = 0
        self._failures: deque[int] = deque()
        self.failed = 0
        self.all = 0
        self.total = 0
        """Letters that failed, all letters, and those that failed since the start."""

    def forget(self) -> None:
        """Forget the letters, so that they are loaded again before the next batch: others may have changed them."""
        self._held = None

    async def load(self) -> None:
        """Load the letters if they are not in memory. Stored failures count as recent ones.

        So a group that is restarted repeatedly does not set aside MOST records each time. Discarded letters that are
        not removed yet do not count.
        """
        if self._held is not None:
            return
        held: dict[Entity, _Held] = {}
        letters = [] if self.letters is None else await all_letters(self.letters)
        for letter in letters:
            _note(held, letter)
        self._held = held
        self.all = len(letters)
        self.failed = sum(bool(letter.cause) for letter in letters)
        counting = [one for one in letters if one.cause and not self.discarded.has(one.place, one.offset)]
        self._failures = deque([self._seen] * len(counting))

    def held(self, records: Iterable[Record]) -> list[Record]:
        """Return the records whose entities have letters."""
        known = self._held
        return [record for record in records if _entity(record) in known] if known else []

    def sift(
        self, records: Sequence[Record], causes: Mapping[Place, str], newest: Mapping[Entity, str]
    ) -> tuple[Sequence[Record], list[DeadLetter]]:
        """Divide records into those to apply and letters for the others: with a fault, in `causes`, or behind a letter.

        `newest` holds the newest ids of entities with letters, so that copies of applied records are not held back.
        Raises CannotApply if nothing may be set aside.
        """
        known = self._held or {}
        if not known and not causes and not self.discarded and not any(record.fault for record in records):
            return records, []
        wanted: list[Record] = []
        letters: list[DeadLetter] = []
        found: dict[Entity, _Held] = {}
        for record in records:
            if self.discarded.covers(record):
                continue
            entity = _entity(record)
            place = (record.place, record.offset)
            holding = [held for held in (known.get(entity), found.get(entity)) if held and held.holds_back(record)]
            if any(place in held.offsets for held in holding):
                continue
            cause = record.fault or causes.get(place, "")
            if not cause and not holding:
                wanted.append(record)
                continue
            if not cause and (
                record.about.id <= newest.get(entity, "") or any(record.about.id in held.ids for held in holding)
            ):
                continue
            letter = self._letter(record, cause)
            letters.append(letter)
            _note(found, letter)
        return wanted, letters

    def _letter(self, record: Record, cause: str) -> DeadLetter:
        if self.letters is None:
            raise CannotApply(self.group, record, cause)
        return DeadLetter(
            group=self.group,
            place=record.place,
            offset=record.offset,
            key=record.key,
            event_id="" if record.fault else record.about.id,
            type=record.type,
            version=record.version,
            cause=cause,
            at=self._clock(),
            attempts=1 if cause else 0,
        )

    def first_too_many(self, letters: Sequence[DeadLetter]) -> int | None:
        """Return the index of the first letter that exceeds the allowed share; None if none does."""
        while self._failures and self._failures[0] <= self._seen - WINDOW:
            self._failures.popleft()
        left = MOST - len(self._failures)
        for index, letter in enumerate(letters):
            if letter.cause:
                if left <= 0:
                    return index
                left -= 1
        return None

    def applied(self, records: int, letters: Collection[DeadLetter]) -> None:
        """Count a committed batch and its letters."""
        self._seen += records
        self.all += len(letters)
        for letter in letters:
            if self._held is not None:
                _note(self._held, letter)
            if letter.cause:
                self.failed += 1
                self.total += 1
                self._failures.append(self._seen)


def _entity(record: Record) -> Entity:
    return record.topic, record.key or f"@{record.position}"


def _note(held: dict[Entity, _Held], letter: DeadLetter) -> None:
    held.setdefault(letter.entity, _Held()).note(letter)
