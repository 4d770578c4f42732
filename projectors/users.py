"""Accounts and their profiles. One row per account, one write per event.

History files may be imported newest first. Then an imported account is registered with a later time than that of its
oldest tweet. The projector takes the right time from TweetPosted, so no event has to move it back, and a rebuild
corrects the accounts of earlier imports. No decision uses the time of registration.
"""

from __future__ import annotations

from events.accounts import AccountRegistered, ProfileChanged, RoleChanged
from events.event import Envelope, on
from events.ids import Millis
from events.tweets import TweetPosted
from stores.users import UserRows

from .projector import Projector


class Users(Projector):
    """Accounts by id and by name."""

    model = "users"
    version = 4

    def __init__(self, rows: UserRows) -> None:
        self.rows = rows

    @on(AccountRegistered)
    def registered(self, event: AccountRegistered, about: Envelope) -> None:
        """Add an account, created at the event's time."""
        self.rows.registered(event.account, event.username, event.display_name, about.time, event.imported)

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Move the creation of an imported account to just before its first tweet."""
        if event.imported:
            self.rows.began_by(event.author, Millis(about.time - 1))

    @on(ProfileChanged)
    def profile_changed(self, event: ProfileChanged, about: Envelope) -> None:
        """Replace the whole profile."""
        self.rows.profile_changed(event.account, event.profile)

    @on(RoleChanged)
    def role_changed(self, event: RoleChanged, about: Envelope) -> None:
        """Replace the role."""
        self.rows.role_changed(event.account, event.role)
