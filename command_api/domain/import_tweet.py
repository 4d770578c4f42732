"""Importing a tweet: its id is derived from its author, source and time, so that it is imported once.

Mentions are resolved with the current user names; accounts are imported before the tweets that mention them.
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
from .mentions import names, resolve_mentions


class ImportTweet(msgspec.Struct, frozen=True, gc=False):
    """`author` wrote this tweet at `at`, which is also the `time` of the context.

    `source` is the id that the tweet has at its source. command_api/text has checked the text and found its entities.
    """

    author: AccountId
    source: str
    at: Millis
    text: str
    entities: Entities
    location: Place | None = None

    @property
    def tweet(self) -> TweetId:
        """The id of the tweet here, the same on each import."""
        return TweetId(id_at(self.at, "tweet", self.source))


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether the author and the tweet exist, and the account ids of the mentioned names."""

    author_exists: bool = True
    imported: bool = False
    mentioned: dict[str, AccountId] = msgspec.field(default_factory=dict)


def decide(command: ImportTweet, state: State) -> list[Event]:
    """Return TweetPosted, or nothing if the tweet exists or was deleted. Raises AccountNotFound."""
    if not state.author_exists:
        raise AccountNotFound(command.author)
    if state.imported:
        return []
    return [
        TweetPosted(
            tweet=command.tweet,
            author=command.author,
            text=command.text,
            entities=resolve_mentions(command.entities, state.mentioned),
            conversation=command.tweet,
            location=command.location,
            imported=True,
        )
    ]


def entities(command: ImportTweet) -> tuple[Entity, ...]:
    """Lock the author's tweets."""
    return (("tweets", command.author),)


def questions(command: ImportTweet) -> tuple[Question[Any], ...]:
    """Ask for the author, the tweet, and the accounts that it mentions."""
    return (
        AccountExists(command.author),
        TweetFor(command.tweet, command.author),
        IdsNamed(names(command.entities)),
    )


def state(command: ImportTweet, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(
        author_exists=facts[AccountExists(command.author)],
        imported=facts[TweetFor(command.tweet, command.author)] is not None,
        mentioned=facts[IdsNamed(names(command.entities))],
    )


IMPORT_TWEET = Decision(entities, questions, state, decide)
