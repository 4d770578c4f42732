"""Follows, blocks and mutes. One row per follow or mute, two per block, each ordered by time."""

from __future__ import annotations

from events.event import Envelope, on
from events.graph import AccountBlocked, AccountFollowed, AccountUnblocked, AccountUnfollowed
from events.ids import at_time
from events.personal import AccountMuted, AccountUnmuted
from stores.graph import GraphRows

from .projector import Projector


class Graph(Projector):
    """Follows, blocks and mutes, in both directions. Follows that a block ends have events of their own."""

    model = "graph"
    version = 1

    def __init__(self, rows: GraphRows) -> None:
        self.rows = rows

    @on(AccountFollowed)
    def followed(self, event: AccountFollowed, about: Envelope) -> None:
        """Add a follow."""
        self.rows.followed(event.follower, event.followee, at_time(about.id, about.time))

    @on(AccountUnfollowed)
    def unfollowed(self, event: AccountUnfollowed, about: Envelope) -> None:
        """Remove the follow."""
        self.rows.unfollowed(event.follower, event.followee)

    @on(AccountBlocked)
    def blocked(self, event: AccountBlocked, about: Envelope) -> None:
        """Add a block."""
        self.rows.blocked(event.blocker, event.blocked, at_time(about.id, about.time))

    @on(AccountUnblocked)
    def unblocked(self, event: AccountUnblocked, about: Envelope) -> None:
        """Remove the block."""
        self.rows.unblocked(event.blocker, event.blocked)

    @on(AccountMuted)
    def muted(self, event: AccountMuted, about: Envelope) -> None:
        """Add a mute."""
        self.rows.muted(event.owner, event.muted, at_time(about.id, about.time))

    @on(AccountUnmuted)
    def unmuted(self, event: AccountUnmuted, about: Envelope) -> None:
        """Remove the mute."""
        self.rows.unmuted(event.owner, event.muted)
