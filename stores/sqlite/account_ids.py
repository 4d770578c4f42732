"""Looks up the ids of accounts by their numbers, which stand for accounts in tables."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

import apsw

from events.ids import AccountId

MOST_REMEMBERED = 20_000
"""The number of cached ids, about 200 bytes each."""


class AccountIds:
    """A cache of ids by number. An account's id and number never change, so nothing is invalidated."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._ids = "SELECT number, id FROM carray(?) CROSS JOIN {users} ON number=value".format(**names)
        self._seen: dict[int, AccountId] = {}

    def of(self, numbers: set[int]) -> Mapping[int, AccountId]:
        """Return a mapping with the ids of these accounts.

        Accounts whose registration is not applied yet are missing.
        """
        seen = self._seen
        missing = {number for number in numbers if number not in seen}
        if missing:
            if len(seen) > MOST_REMEMBERED:
                self._seen = seen = {}
                missing = numbers
            rows: Any = self._execute(self._ids, (apsw.carray(array("q", missing)),))
            seen.update(rows)
        return seen
