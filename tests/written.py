"""The tweets of a community in tests, and the texts that they have."""

from __future__ import annotations

from dataclasses import dataclass

from events.entities import Entities
from events.ids import AccountId, TweetId
from events.tweets import TweetRef

TEXTS = (
    "good morning",
    "an awful delay #One",
    "lovely #one and #Zwei, @user0",
    "what a day #zwei https://example.org/a",
    "@user1 @user2 thanks",
    "#straße und #STRASSE",
)


@dataclass
class Written:
    """A tweet of the community."""

    id: TweetId
    author: AccountId
    texts: list[str]
    entities: Entities
    conversation: TweetId
    reply_to: TweetRef | None
    quote_of: TweetRef | None
    deleted: bool = False
