"""Who there is, and what they say about themselves. One row an account, one write an event."""

from __future__ import annotations

from events.accounts import AccountRegistered, ProfileChanged
from events.event import Envelope, on
from stores.users import UserRows

from .projector import Projector


class Users(Projector):
    """Accounts by id and by name."""

    model = "users"
    version = 2

    def __init__(self, rows: UserRows) -> None:
        self.rows = rows

    @on(AccountRegistered)
    def registered(self, event: AccountRegistered, about: Envelope) -> None:
        """An account, since when it happened."""
        self.rows.registered(event.account, event.username, event.display_name, about.time, event.imported)

    @on(ProfileChanged)
    def profile_changed(self, event: ProfileChanged, about: Envelope) -> None:
        """The profile, whole."""
        self.rows.profile_changed(event.account, event.profile)
