"""Editing: the author replaces the text of a tweet for 30 minutes after posting. Mentions are resolved again."""

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
from .mentions import names, resolve_mentions
from .visible import visible

EDIT_WINDOW_MS = Millis(30 * 60 * 1000)
"""How long after posting a tweet can be edited, in milliseconds, unless a setting changes it."""


MOST_EDITS = 20
"""How many times a tweet can be edited: every version is stored for ever and sent with the edit history."""


class EditTweet(msgspec.Struct, frozen=True, gc=False):
    """At `at`, `actor` replaces the text of `tweet`; command_api/text has checked the text and found its entities.

    With `if_version`, the edit is refused unless the tweet still has this version. The edit is allowed up to
    `window_ms` after posting, and `most` times.
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
    """The tweet, or None if there is none, and the account ids of the mentioned names."""

    tweet: Tweet | None = None
    mentioned: dict[str, AccountId] = msgspec.field(default_factory=dict)


def decide(command: EditTweet, state: State) -> list[Event]:
    """Return the next version, or nothing if the text does not change.

    Raises TweetNotFound, TweetGone, NotYours, VersionMismatch, TooManyEdits, EditWindowClosed. An edit that is sent
    again is accepted, and changes nothing, even after the window has closed.
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
            entities=resolve_mentions(command.entities, state.mentioned),
        )
    ]


def questions(command: EditTweet) -> tuple[Question[Any], ...]:
    """Ask for the tweet and the accounts that the new text mentions."""
    return (TweetFor(command.tweet, command.actor), IdsNamed(names(command.entities)))


def state(command: EditTweet, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[TweetFor(command.tweet, command.actor)], facts[IdsNamed(names(command.entities))])


EDIT_TWEET = Decision(tweets_of_actor, questions, state, decide)
