"""Leave entities with a damaged and discarded record out of a comparison of decision states.

The live decision state has the effects of the record, because it was folded before the damage. A rebuilt state cannot
have them. Each table is written by events of one topic, so its rows are left out by the account that they belong to.
Both profiles have the same tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from events.ids import account_number, is_id
from events.log import Record

from .decision_rows import BY_NAME

_BY_NUMBER = "a"
_COLUMNS = {
    "decision_tweets": "tweet, author, conversation, reply_to, reply_author, quote_of, quote_author, deleted, version,"
    " CASE deleted WHEN 0 THEN fingerprint END"
}
"""The columns to compare, if not all: older versions kept the fingerprint of a deleted tweet's text."""


@dataclass(frozen=True)
class LeftOut:
    """The accounts to leave out, by topic. An empty set leaves out the whole topic: a record there names no account."""

    accounts: dict[str, set[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.accounts)

    def add(self, record: Record) -> None:
        """Leave out the entity of a damaged record, or its whole topic if the record names no account."""
        if not is_id(record.key):
            self.accounts[record.topic] = set()
        elif self.accounts.get(record.topic, {record.key}):
            self.accounts.setdefault(record.topic, set()).add(record.key)

    def has(self, record: Record) -> bool:
        """Whether the record belongs to an entity that is left out."""
        accounts = self.accounts.get(record.topic)
        return accounts is not None and (not accounts or record.key in accounts)

    def rows(self, table: str) -> str:
        """Return the SELECT, in SQL of both engines, of the rows to compare."""
        return f"SELECT {_COLUMNS.get(table, '*')} FROM {table}{self.where(table)}"

    def where(self, table: str) -> str:
        """Return the WHERE clause of the rows to compare; empty if all rows are compared."""
        topic, column = BY_NAME[table].topic, BY_NAME[table].account
        accounts = self.accounts.get(topic)
        if accounts is None:
            return ""
        if not accounts:
            return " WHERE 1=0"
        quoted = ", ".join(f"'{account}'" for account in sorted(accounts))  # ids, so there is nothing to escape
        if column == _BY_NUMBER:
            quoted = ", ".join(str(account_number(account)) for account in sorted(accounts))
        if column == "tweet":
            quoted = f"SELECT tweet FROM decision_tweets WHERE author IN ({quoted})"
        return f" WHERE {column} NOT IN ({quoted})"

    def names(self) -> tuple[str, ...]:
        """Return the names of the entities left out as `topic/account`, or the topic if all of it is left out."""
        return tuple(
            sorted(f"{topic}/{one}" if one else topic for topic, ones in self.accounts.items() for one in ones or {""})
        )


NOTHING = LeftOut()
