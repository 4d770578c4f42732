"""The result of `minitwitter verify` in both profiles: each live store compared with one that was rebuilt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from command_api.left_out import LeftOut
from events.log import Positions, RecordReader
from runtime.discards import Discards
from runtime.processor_group import NEVER
from stores.dead_letters import DeadLetter

LONGEST_BEHIND_S = 60.0


class CannotVerify(Exception):
    """There is nothing to compare, or no room for it; the message says which."""


class Finding(msgspec.Struct, frozen=True):
    """One comparison: `kind` is read model, topic or decision state; `seconds` is its duration."""

    kind: str
    name: str
    live: int
    rebuilt: int
    same: bool
    seconds: float


class Verdict(msgspec.Struct, frozen=True):
    """The result: `events` were applied again to everything in `findings`, in `seconds`.

    `behind` is the lag of each group in events. `same` is true if nothing differs, no group is behind, and no whole
    topic is left out. Dead letters are applied in neither store; `failed` are records that were applied once and fail
    now, without those held back behind them. Both are `group position`. `damaged` are the positions of failed records
    with a wrong checksum. `not_compared` are the entities (`tweets/KEY`, or a whole topic) that were left out of the
    comparison of the decision state.
    """

    same: bool
    events: int
    seconds: float
    positions: dict[str, str]
    behind: dict[str, int]
    findings: tuple[Finding, ...]
    dead_letters: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        findings: Iterable[Finding],
        events: int,
        seconds: float,
        positions: Mapping[str, Positions],
        behind: Mapping[str, int],
        dead_letters: tuple[str, ...] = (),
        failed: tuple[str, ...] = (),
        not_compared: tuple[str, ...] = (),
        damaged: tuple[str, ...] = (),
    ) -> Verdict:
        """Return the verdict on some findings."""
        found = tuple(findings)
        late = {group: events for group, events in behind.items() if events}
        whole_topics = any("/" not in name for name in not_compared)
        same = not late and not whole_topics and all(finding.same for finding in found)
        until = {group: str(position) for group, position in positions.items()}
        return cls(same, events, round(seconds, 3), until, late, found, dead_letters, failed, not_compared, damaged)


async def left_out_of_decisions(log: RecordReader, letters: Iterable[DeadLetter] = ()) -> LeftOut:
    """Return the entities with an unreadable record that was discarded or is a dead letter: no decision about them is
    possible.

    Reads one record for each discard and letter. Raises the log's errors.
    """
    discards, left_out = Discards(), LeftOut()
    await discards.read(log)
    ends = await log.ends()
    for place, offset in sorted({*discards.places(), *((one.place, one.offset) for one in letters if one.cause)}):
        if offset < ends.get(place, 0):
            after = Positions(dict.fromkeys(ends, NEVER)) | {place: offset}
            for record in await log.read(after, 1, (place.topic,)):
                if record.fault and record.offset == offset:
                    left_out.add(record)
    return left_out
