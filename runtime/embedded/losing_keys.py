"""`minitwitter keys lost` on a data directory."""

from __future__ import annotations

from events.ids import from_bytes
from runtime.lost_keys import SEALED_TOPICS, Advance, Encoded, LostKey, Sealed
from runtime.settings import Settings

from .log_db import Ownership, open_reader, open_writer

_AT_ONCE = 5_000


def find(settings: Settings, on_batch: Advance = lambda records: None) -> list[LostKey]:
    """The subjects whose key is lost, beside a server or without one. Raises CorruptLog, LogUnavailable."""
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


def declare(settings: Settings, lost: list[LostKey]) -> None:
    """Have the keys count as destroyed. Raises AlreadyOwned while a server runs, LogUnavailable."""
    ownership = Ownership(settings.data)
    try:
        connection = open_writer(settings.data)
        with connection:
            connection.executemany(
                "INSERT INTO subject_keys VALUES (?, '', NULL) ON CONFLICT DO NOTHING", [(one.subject,) for one in lost]
            )
        connection.close()
    finally:
        ownership.release()
