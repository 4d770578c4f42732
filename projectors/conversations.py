"""Which tweet answers which. One row a reply; a reply seen before its parent hangs in its place already."""

from __future__ import annotations

from events.event import Envelope, on
from events.tweets import TweetPosted
from stores.conversations import ConversationRows

from .projector import Projector


class Conversations(Projector):
    """Replies by what they reply to. Deleted ones stay, so that what hangs beneath them keeps hanging."""

    model = "conversations"
    version = 1

    def __init__(self, rows: ConversationRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """A reply, where it replies."""
        if event.reply_to is not None:
            self.rows.replied(event.tweet, event.reply_to.tweet)
