"""Who there is, and what they say about themselves. One row an account, one write an event.

Files of history may be imported newest first. Then an imported account is registered with a later time than that of its
oldest tweet. The log has the right time already, in TweetPosted: the projector takes it from there, so no event has to
move the beginning back, and a rebuild mends accounts of earlier imports. No decision asks when an account began.
"""

from __future__ import annotations

from events.accounts import AccountRegistered, ProfileChanged
from events.event import Envelope, on
from events.ids import Millis
from events.tweets import TweetPosted
from stores.users import UserRows

from .projector import Projector


class Users(Projector):
    """Accounts by id and by name."""

    model = "users"
    version = 3

    def __init__(self, rows: UserRows) -> None:
        self.rows = rows

    @on(AccountRegistered)
    def registered(self, event: AccountRegistered, about: Envelope) -> None:
        """An account, since when it happened."""
        self.rows.registered(event.account, event.username, event.display_name, about.time, event.imported)

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """An imported account begins just before its first tweet, whichever file that is in."""
        if event.imported:
            self.rows.began_by(event.author, Millis(about.time - 1))

    @on(ProfileChanged)
    def profile_changed(self, event: ProfileChanged, about: Envelope) -> None:
        """The profile, whole."""
        self.rows.profile_changed(event.account, event.profile)
