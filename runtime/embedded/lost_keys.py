"""`minitwitter keys lost` on a data directory."""

from __future__ import annotations

from command_api.sqlite.rebuild import rebuild_decision_state, replace_decision_state
from events.ids import from_bytes
from events.sqlite.connection import connect
from runtime.embedded.log_db import AlreadyOwned, Ownership, is_owned, open_reader, open_writer
from runtime.embedded.scratch_directory import second_copy
from runtime.lost_keys import SEALED_TOPICS, Advance, Encoded, LostKey, Sealed
from runtime.settings import Settings
from runtime.verdict import left_out_of_decisions

_AT_ONCE = 5_000


def check_stopped(settings: Settings) -> None:
    """Raise AlreadyOwned if a server runs: then keys cannot be declared lost."""
    if is_owned(settings.data):
        raise AlreadyOwned(
            f"a server runs on {settings.data}, and --declare folds its decision state anew; nothing was changed:"
            " stop the server, say this again, then start it"
        )


def find(settings: Settings, on_batch: Advance = lambda records: None) -> list[LostKey]:
    """Find the subjects whose key is lost, beside a server or without one. Raises CorruptLog, LogUnavailable."""
    table = open_reader(settings.data, settings.master_key_file).table
    sealed = Sealed(table.codec)
    for place, end in table.ends().items():
        for start in range(0, end if place.topic in SEALED_TOPICS else 0, _AT_ONCE):
            rows = table.rows(place, start, min(_AT_ONCE, end - start))
            subjects = sealed.add(
                Encoded(f"{place}@{start + n}", row[2], row[3], row[7], from_bytes(row[1]))
                for n, row in enumerate(rows)
            )
            table.keys.fetch(subjects)
            sealed.forget(subjects - set(table.keys.sealer.missing(subjects)))
            table.keys.sealer.trim()
            on_batch(len(rows))
    return sealed.lost()


async def declare(settings: Settings, lost: list[LostKey]) -> None:
    """Mark the keys as destroyed, and rebuild the decision state without the events that they sealed.

    If it is interrupted, repeating it completes it. Raises AlreadyOwned if a server runs, CorruptLog, LogUnavailable.
    """
    ownership = Ownership(settings.data)
    try:
        connection = open_writer(settings.data)
        with connection:
            connection.executemany(
                "INSERT INTO subject_keys VALUES (?, '', NULL) ON CONFLICT DO NOTHING", [(one.subject,) for one in lost]
            )
        log = open_reader(settings.data, settings.master_key_file)
        left_out = await left_out_of_decisions(log)
        with second_copy(settings.data) as place:
            scratch = connect(place / "state.db", durable=False)
            email_key = log.table.keys.secret("email")
            await rebuild_decision_state(log, scratch, email_key, await log.ends(), left_out=left_out)
            scratch.close()
            replace_decision_state(connection, place / "state.db", left_out)
        log.table.connection.close()
        connection.close()
    finally:
        ownership.release()
