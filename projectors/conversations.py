"""The replies of each tweet. One row per reply, which does not depend on whether its parent is known already."""

from __future__ import annotations

from events.event import Envelope, on
from events.tweets import TweetPosted
from stores.conversations import ConversationRows

from .projector import Projector


class Conversations(Projector):
    """Replies by parent tweet. Deleted replies stay, so that the replies to them keep their place."""

    model = "conversations"
    version = 1

    def __init__(self, rows: ConversationRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Add the tweet to the replies of its parent, if it is a reply."""
        if event.reply_to is not None:
            self.rows.replied(event.tweet, event.reply_to.tweet)
