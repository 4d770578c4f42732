"""What decisions have in common where one account acts, on a tweet or on another account: what they lock and ask."""

from __future__ import annotations

from typing import Any, Protocol

from events.first_copies import Entity
from events.ids import AccountId, TweetId

from ..facts import AccountExists, EngagementOf, Question, RelationOf, TweetFor


class Acting(Protocol):
    """A command of an account."""

    @property
    def actor(self) -> AccountId:
        """Who acts."""
        ...


class OnTweet(Acting, Protocol):
    """What is done to a tweet."""

    @property
    def tweet(self) -> TweetId:
        """The tweet."""
        ...


class OnAccount(Acting, Protocol):
    """What is done to another account."""

    @property
    def other(self) -> AccountId:
        """The other account."""
        ...


def engagement_of_actor(command: Acting) -> tuple[Entity, ...]:
    """Locks the likes and retweets of the one who acts."""
    return (("engagement", command.actor),)


def graph_of_actor(command: Acting) -> tuple[Entity, ...]:
    """Locks the follows and blocks of the one who acts."""
    return (("graph", command.actor),)


def media_of_actor(command: Acting) -> tuple[Entity, ...]:
    """Locks the media of the one who acts."""
    return (("media", command.actor),)


def personal_of_actor(command: Acting) -> tuple[Entity, ...]:
    """Locks the personal matters of the one who acts."""
    return (("personal", command.actor),)


def tweets_of_actor(command: Acting) -> tuple[Entity, ...]:
    """Locks the tweets of the one who acts."""
    return (("tweets", command.actor),)


def tweet_and_engagement(command: OnTweet) -> tuple[Question[Any], ...]:
    """Asks for the tweet as the actor sees it, and what the actor did with it."""
    return (TweetFor(command.tweet, command.actor), EngagementOf(command.actor, command.tweet))


def account_and_relation(command: OnAccount) -> tuple[Question[Any], ...]:
    """Asks whether there is such an account, and how the two stand to each other."""
    return (AccountExists(command.other), RelationOf(command.actor, command.other))


def relation(command: OnAccount) -> tuple[Question[Any], ...]:
    """Asks how the two stand to each other."""
    return (RelationOf(command.actor, command.other),)
