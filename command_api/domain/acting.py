"""Locks and questions shared by the decisions in which an account acts on a tweet or on another account."""

from __future__ import annotations

from typing import Any, Protocol

from events.first_copies import Entity
from events.ids import AccountId, TweetId

from ..facts import EngagementOf, Named, Other, OtherOf, Question, TweetFor
from .errors import AccountNotFound, NotYourself


class Acting(Protocol):
    """A command of an account."""

    @property
    def actor(self) -> AccountId:
        """The account that gives the command."""
        ...


class OnTweet(Acting, Protocol):
    """A command of an account about a tweet."""

    @property
    def tweet(self) -> TweetId:
        """The tweet."""
        ...


class OnAccount(Acting, Protocol):
    """A command of an account about another account."""

    @property
    def other(self) -> AccountId | Named:
        """The other account, by its id or its name."""
        ...


def engagement_of_actor(command: Acting) -> tuple[Entity, ...]:
    """Lock the actor's likes and retweets."""
    return (("engagement", command.actor),)


def graph_of_actor(command: Acting) -> tuple[Entity, ...]:
    """Lock the actor's follows and blocks."""
    return (("graph", command.actor),)


def media_of_actor(command: Acting) -> tuple[Entity, ...]:
    """Lock the actor's media."""
    return (("media", command.actor),)


def personal_of_actor(command: Acting) -> tuple[Entity, ...]:
    """Lock the actor's personal entity: bookmarks, mutes, sessions and read notifications."""
    return (("personal", command.actor),)


def tweets_of_actor(command: Acting) -> tuple[Entity, ...]:
    """Lock the actor's tweets."""
    return (("tweets", command.actor),)


def tweet_and_engagement(command: OnTweet) -> tuple[Question[Any], ...]:
    """Ask for the tweet as the actor sees it, and for the actor's like, retweet and bookmark of it."""
    return (TweetFor(command.tweet, command.actor), EngagementOf(command.actor, command.tweet))


def other_account(command: OnAccount) -> tuple[Question[Any], ...]:
    """Ask for the other account and the relation of the actor to it."""
    return (OtherOf(command.actor, command.other),)


def there(command: OnAccount, other: Other | None) -> Other:
    """Return the other account. Raises AccountNotFound."""
    if other is None:
        raise AccountNotFound(command.other.username if isinstance(command.other, Named) else command.other)
    return other


def another(command: OnAccount, other: Other | None, deed: str) -> Other:
    """Return the other account. Raises AccountNotFound, and NotYourself if it is the actor's own."""
    found = there(command, other)
    if found.id == command.actor:
        raise NotYourself(deed)
    return found
