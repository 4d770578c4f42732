"""Editing: the author replaces a tweet's text, within 30 minutes of posting it. Who is mentioned is settled anew."""

from __future__ import annotations

from typing import Any

import msgspec

from events.entities import Entities
from events.event import Event
from events.ids import AccountId, Millis, TweetId, millis
from events.tweets import TweetEdited

from ..deciding import Decision
from ..decision_state import fingerprint
from ..facts import Facts, IdsNamed, Question, Tweet, TweetFor
from .acting import tweets_of_actor
from .errors import EditWindowClosed, NotYours, TooManyEdits, VersionMismatch
from .mentions import names, settled
from .visible import visible

EDIT_WINDOW_MS = Millis(30 * 60 * 1000)
"""How long after posting, to the millisecond, a tweet can be edited, if nothing else is set."""


MOST_EDITS = 20
"""How often a tweet can be edited: each version is kept for ever, and read by everyone who opens the history."""


class EditTweet(msgspec.Struct, frozen=True, gc=False):
    """At `at`, `actor` replaces the text of `tweet`; the new one is checked and its entities found (command_api/text).

    `if_version` is the version that the author has seen, if the edit is to be held against it, `window_ms` how long
    after posting it may be made.
    """

    actor: AccountId
    tweet: TweetId
    text: str
    entities: Entities
    at: Millis
    if_version: int | None = None
    window_ms: Millis = EDIT_WINDOW_MS
    most: int = MOST_EDITS


class State(msgspec.Struct, frozen=True, gc=False):
    """The tweet, if it is there, and the accounts that the mentioned names belong to."""

    tweet: Tweet | None = None
    mentioned: dict[str, AccountId] = msgspec.field(default_factory=dict)


def decide(command: EditTweet, state: State) -> list[Event]:
    """The next version, or nothing where the text is what it is already.

    Raises TweetNotFound, TweetGone, NotYours, VersionMismatch, TooManyEdits, EditWindowClosed. An edit that is sent
    again changes nothing even when the window has closed in between.
    """
    tweet = visible(command.tweet, state.tweet)
    if tweet.author != command.actor:
        raise NotYours("edit")
    if command.if_version is not None and command.if_version != tweet.version:
        raise VersionMismatch(command.if_version, tweet.version)
    if fingerprint(command.text) == tweet.fingerprint:
        return []
    if tweet.version > command.most:
        raise TooManyEdits(tweet.id, command.most)
    if command.at - millis(tweet.id) > command.window_ms:
        raise EditWindowClosed(tweet.id, command.window_ms // 60_000)
    return [
        TweetEdited(
            tweet=tweet.id,
            author=command.actor,
            version=tweet.version + 1,
            text=command.text,
            entities=settled(command.entities, state.mentioned),
        )
    ]


def questions(command: EditTweet) -> tuple[Question[Any], ...]:
    """The tweet, and whom the new text mentions."""
    return (TweetFor(command.tweet, command.actor), IdsNamed(names(command.entities)))


def state(command: EditTweet, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[TweetFor(command.tweet, command.actor)], facts[IdsNamed(names(command.entities))])


EDIT_TWEET = Decision(tweets_of_actor, questions, state, decide)
