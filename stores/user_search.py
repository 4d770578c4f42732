"""The port of the search of users: by prefix of name or display name, then by similarity (stores/text/trigrams.py).

First come the accounts of which a name begins with what is looked for: the user name, the display name, or a word of
it; in the order of these names, so that an exact one is the first. Then come the others of which a name is similar
enough, the most similar first. Blocks are left to the reader.
"""

from __future__ import annotations

from typing import Protocol

from events.ids import AccountId

from .pages import Page


class UserSearchRows(Protocol):
    """What the projector writes."""

    def named(self, account: AccountId, username: str) -> None:
        """An account has this user name."""
        ...

    def displayed(self, account: AccountId, display_name: str) -> None:
        """An account has this display name from now on, and no other."""
        ...


class UserSearch(Protocol):
    """What the query API reads."""

    async def find(self, name: str, before: str | None, limit: int) -> Page[AccountId]:
        """The accounts that `name` may mean, best first; a leading @ means nothing."""
        ...
