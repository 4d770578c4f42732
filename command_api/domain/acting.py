"""What decisions have in common where one account acts, on a tweet or on another account: what they lock and ask."""

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
    def other(self) -> AccountId | Named:
        """The other account, by its id or its name."""
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


def other_account(command: OnAccount) -> tuple[Question[Any], ...]:
    """Asks for the other account, and how the actor stands to it."""
    return (OtherOf(command.actor, command.other),)


def there(command: OnAccount, other: Other | None) -> Other:
    """The other account. Raises AccountNotFound."""
    if other is None:
        raise AccountNotFound(command.other.username if isinstance(command.other, Named) else command.other)
    return other


def another(command: OnAccount, other: Other | None, deed: str) -> Other:
    """The other account, where it is not the actor's own. Raises AccountNotFound, NotYourself."""
    found = there(command, other)
    if found.id == command.actor:
        raise NotYourself(deed)
    return found
