"""The port of the search of users: by prefix of name or display name, then by similarity (stores/text/trigrams.py).

Accounts come first whose user name, display name or a word of the display name begins with the searched text, ordered
by that name, so that an exact match is the first. Then come accounts with a similar name, the most similar first. The
reader leaves out accounts behind a block.
"""

from __future__ import annotations

from typing import Protocol

from events.ids import AccountId

from .pages import Page


class UserSearchRows(Protocol):
    """Rows that the projector writes."""

    def named(self, account: AccountId, username: str) -> None:
        """Store the user name of an account."""
        ...

    def displayed(self, account: AccountId, display_name: str) -> None:
        """Replace the display name of an account."""
        ...


class UserSearch(Protocol):
    """Reads for the query API."""

    async def find(self, name: str, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that match `name`, best first. A leading @ is ignored."""
        ...
