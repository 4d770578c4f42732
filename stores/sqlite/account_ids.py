"""From the numbers that stand for accounts in tables to their ids."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

import apsw

from events.ids import AccountId

MOST_REMEMBERED = 20_000
"""About 200 bytes each."""


class AccountIds:
    """Ids by number. An account keeps both for ever, so what was looked up once is remembered."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._ids = "SELECT number, id FROM carray(?) CROSS JOIN {users} ON number=value".format(**names)
        self._seen: dict[int, AccountId] = {}

    def of(self, numbers: set[int]) -> Mapping[int, AccountId]:
        """A mapping that has the ids of these accounts, less those that have not come out of the log yet."""
        seen = self._seen
        missing = {number for number in numbers if number not in seen}
        if missing:
            if len(seen) > MOST_REMEMBERED:
                self._seen = seen = {}
                missing = numbers
            rows: Any = self._execute(self._ids, (apsw.carray(array("q", missing)),))
            seen.update(rows)
        return seen
