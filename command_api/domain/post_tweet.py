"""Posting: a tweet, a reply or a quote. Who is mentioned is settled now, by the names of this moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from events.entities import Entities
from events.event import Event
from events.first_copies import Entity
from events.ids import AccountId, TweetId
from events.tweets import Place, TweetPosted, TweetRef

from ..deciding import Decision
from ..facts import Account, AccountOf, Facts, IdsNamed, Question, Tweet, TweetFor
from .errors import AccountNotFound
from .visible import visible


@dataclass(frozen=True, slots=True)
class PostTweet:
    """`actor` writes `tweet`; the text is checked and its entities are found already (command_api/text)."""

    actor: AccountId
    tweet: TweetId
    text: str
    entities: Entities
    reply_to: TweetId | None = None
    quote_of: TweetId | None = None
    location: Place | None = None
    sensitive: bool = False
    content_warning: str | None = None

    def names(self) -> tuple[str, ...]:
        """The names mentioned, lower case."""
        return tuple(mention.username.lower() for mention in self.entities.mentions)


@dataclass(frozen=True, slots=True)
class State:
    """The author, the tweets referred to, and the accounts that the mentioned names belong to."""

    author: Account | None = None
    replied: Tweet | None = None
    quoted: Tweet | None = None
    mentioned: dict[str, AccountId] | None = None


def decide(command: PostTweet, state: State) -> list[Event]:
    """The tweet. Raises AccountNotFound, and TweetNotFound or TweetGone for the tweets it refers to."""
    if state.author is None:
        raise AccountNotFound(command.actor)
    reply_to = quote_of = None
    conversation = command.tweet
    if command.reply_to is not None:
        replied = visible(command.reply_to, state.replied)
        reply_to, conversation = TweetRef(replied.id, replied.author), replied.conversation
    if command.quote_of is not None:
        quoted = visible(command.quote_of, state.quoted)
        quote_of = TweetRef(quoted.id, quoted.author)
    return [
        TweetPosted(
            tweet=command.tweet,
            author=command.actor,
            text=command.text,
            entities=settled(command.entities, state.mentioned or {}),
            conversation=conversation,
            reply_to=reply_to,
            quote_of=quote_of,
            location=command.location,
            sensitive=command.sensitive,
            content_warning=command.content_warning,
        )
    ]


def settled(entities: Entities, ids: dict[str, AccountId]) -> Entities:
    """The entities with the accounts that their mentions mean."""
    if not ids:
        return entities
    mentions = tuple(
        msgspec.structs.replace(mention, account=ids.get(mention.username.lower())) for mention in entities.mentions
    )
    return msgspec.structs.replace(entities, mentions=mentions)


def entities(command: PostTweet) -> tuple[Entity, ...]:
    """The author's tweets."""
    return (("tweets", command.actor),)


def questions(command: PostTweet) -> tuple[Question[Any], ...]:
    """The author, and whatever the tweet refers to."""
    asked: list[Question[Any]] = [AccountOf(command.actor)]
    if command.reply_to is not None:
        asked.append(TweetFor(command.reply_to, command.actor))
    if command.quote_of is not None:
        asked.append(TweetFor(command.quote_of, command.actor))
    if command.entities.mentions:
        asked.append(IdsNamed(command.names()))
    return tuple(asked)


def state(command: PostTweet, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(
        author=facts[AccountOf(command.actor)],
        replied=facts[TweetFor(command.reply_to, command.actor)] if command.reply_to is not None else None,
        quoted=facts[TweetFor(command.quote_of, command.actor)] if command.quote_of is not None else None,
        mentioned=facts[IdsNamed(command.names())] if command.entities.mentions else None,
    )


POST_TWEET = Decision(entities, questions, state, decide)
