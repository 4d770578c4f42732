"""What is held back behind a dead letter, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from events.event import Envelope
from events.ids import EventId, Millis, wall_clock
from events.log import Record
from runtime.dead_letter_policy import SettingAside
from runtime.discards import Discarded
from stores.dead_letters import DeadLetter, DeadLetters

EVE = "01a22eb3-91e3-7001-a3a9-48f4d7a154b6"


class Letters:
    """As a store that has none yet."""

    async def page(self, *asked: object, **more: object) -> Sequence[DeadLetter]:
        return []


def record(partition: int, offset: int, *, fault: str = "") -> Record:
    about = Envelope(EventId(f"{partition}-{offset}"), Millis(0))
    return Record("tweets", partition, offset, EVE, "TweetPosted", 1, None, about, fault)


async def test_what_stands_behind_a_letter_waits_whatever_others_wrote_into_another_partition() -> None:
    """Under somebody's key a record can be written into any partition; theirs is still in order."""
    aside = SettingAside("timelines", cast(DeadLetters, cast(Any, Letters())), Discarded(), wall_clock)
    await aside.load()
    misplaced, unreadable = record(0, 0, fault="its key belongs to partition 3"), record(3, 1, fault="no ce_type")
    before, behind, elsewhere = record(3, 0), record(3, 2), record(0, 9)
    wanted, letters = aside.sift([misplaced, before, unreadable], {}, {})
    assert (list(wanted), [letter.offset for letter in letters]) == ([before], [0, 1])
    aside.applied(3, letters)
    wanted, letters = aside.sift([behind, elsewhere], {}, {})
    assert (list(wanted), [(letter.offset, letter.cause) for letter in letters]) == ([], [(2, ""), (9, "")])
