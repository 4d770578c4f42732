"""Entities that a comparison of decision states leaves out, because a record of theirs was damaged and discarded.

The live state was decided before the damage and has the record's effects; a rebuilt one cannot have them. Every table
belongs to accounts of one topic, so its rows are told by the account that they belong to. Both profiles have the same
tables.
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
"""What is compared of a table, where that is not all: older versions kept the fingerprint of a deleted text."""


@dataclass(frozen=True)
class LeftOut:
    """What is left out: accounts by topic. A topic without accounts is left out whole, as nobody knows whose it was."""

    accounts: dict[str, set[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.accounts)

    def add(self, record: Record) -> None:
        """Leave out the entity of a record that cannot be read, or its topic where the record names no account."""
        if not is_id(record.key):
            self.accounts[record.topic] = set()
        elif self.accounts.get(record.topic, {record.key}):
            self.accounts.setdefault(record.topic, set()).add(record.key)

    def has(self, record: Record) -> bool:
        """Whether the record's effects are left out."""
        accounts = self.accounts.get(record.topic)
        return accounts is not None and (not accounts or record.key in accounts)

    def rows(self, table: str) -> str:
        """SQL of either engine for the rows of a table that are compared."""
        return f"SELECT {_COLUMNS.get(table, '*')} FROM {table}{self.where(table)}"

    def where(self, table: str) -> str:
        """The condition of those rows, with its WHERE; empty where it is all of them."""
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
        """What is left out: `tweets/KEY`, or the topic where it is left out whole."""
        return tuple(
            sorted(f"{topic}/{one}" if one else topic for topic, ones in self.accounts.items() for one in ones or {""})
        )


NOTHING = LeftOut()
