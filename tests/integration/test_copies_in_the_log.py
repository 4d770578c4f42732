"""Later copies of events, as a relay appends them, can be anywhere after the first, and have no effect."""

from pathlib import Path

from events.ids import HybridClock, Millis
from events.log import New
from runtime.embedded.log_db import LogDb
from tests.integration.logs import everything, followed, opened

NOW = Millis(1_790_000_000_000)


async def test_ids_go_on_past_the_newest_event_when_a_copy_came_last_and_the_clock_was_set_back(tmp_path: Path) -> None:
    log = LogDb(tmp_path, ids=HybridClock(lambda: NOW))
    old, newest = followed(log), followed(log)
    await log.log.append([old, newest])
    await log.log.append([old])
    await log.close()

    again = LogDb(tmp_path, ids=HybridClock(lambda: Millis(NOW - 4000)))

    assert again.ids.issue() > newest.about.id
    await again.close()


async def test_an_event_is_found_among_copies_of_older_ones(tmp_path: Path) -> None:
    log = opened(tmp_path)
    events = [followed(log) for _ in range(9)]
    await log.log.append(events)
    for _ in range(40):
        await log.log.append([New(events[0].event, events[0].about)])

    for event in events:
        found = log.table.find(event.about.id)
        assert found is not None
        assert found.offset == min(r.offset for r in await everything(log.log) if r.about.id == event.about.id)
    await log.close()
