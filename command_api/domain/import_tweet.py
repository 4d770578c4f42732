"""Importing a tweet: it happened at its own time, which makes its id, so that it is imported once.

Who is mentioned is settled by the names of now: accounts are imported before the tweets that speak of them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from events.entities import Entities
from events.event import Event
from events.first_copies import Entity
from events.ids import AccountId, Millis, TweetId, id_at
from events.tweets import Place, TweetPosted

from ..deciding import Decision
from ..facts import AccountExists, Facts, IdsNamed, Question, TweetFor
from .errors import AccountNotFound
from .mentions import names, settled


class ImportTweet(msgspec.Struct, frozen=True, gc=False):
    """`author` wrote, at `at`, what its `source` knows by an id; the context has the same time.

    The text is checked and its entities are found already (command_api/text).
    """

    author: AccountId
    source: str
    at: Millis
    text: str
    entities: Entities
    location: Place | None = None

    @property
    def tweet(self) -> TweetId:
        """The tweet's id here: the same however often it is imported."""
        return TweetId(id_at(self.at, "tweet", self.source))


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether there is such an author and such a tweet, and the accounts that the mentioned names belong to."""

    author_exists: bool = True
    imported: bool = False
    mentioned: dict[str, AccountId] = msgspec.field(default_factory=dict)


def decide(command: ImportTweet, state: State) -> list[Event]:
    """The tweet, or nothing where it is there already, or was and is deleted. Raises AccountNotFound."""
    if not state.author_exists:
        raise AccountNotFound(command.author)
    if state.imported:
        return []
    return [
        TweetPosted(
            tweet=command.tweet,
            author=command.author,
            text=command.text,
            entities=settled(command.entities, state.mentioned),
            conversation=command.tweet,
            location=command.location,
            imported=True,
        )
    ]


def entities(command: ImportTweet) -> tuple[Entity, ...]:
    """The author's tweets."""
    return (("tweets", command.author),)


def questions(command: ImportTweet) -> tuple[Question[Any], ...]:
    """The author, the tweet, and whom it mentions."""
    return (
        AccountExists(command.author),
        TweetFor(command.tweet, command.author),
        IdsNamed(names(command.entities)),
    )


def state(command: ImportTweet, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(
        author_exists=facts[AccountExists(command.author)],
        imported=facts[TweetFor(command.tweet, command.author)] is not None,
        mentioned=facts[IdsNamed(names(command.entities))],
    )


IMPORT_TWEET = Decision(entities, questions, state, decide)
