"""Search for users. Some thirty rows per account: one for each name and one for each trigram of the names."""

from __future__ import annotations

from events.accounts import AccountRegistered, ProfileChanged
from events.event import Envelope, on
from stores.user_search import UserSearchRows

from .projector import Projector


class UserSearch(Projector):
    """Accounts by user name and display name."""

    model = "user_search"
    version = 1

    def __init__(self, rows: UserSearchRows) -> None:
        self.rows = rows

    @on(AccountRegistered)
    def registered(self, event: AccountRegistered, about: Envelope) -> None:
        """Add the account under both names."""
        self.rows.named(event.account, event.username)
        self.rows.displayed(event.account, event.display_name)

    @on(ProfileChanged)
    def profile_changed(self, event: ProfileChanged, about: Envelope) -> None:
        """Replace the display name."""
        self.rows.displayed(event.account, event.profile.display_name)
