"""Posting a tweet, a reply or a quote. Mentions are resolved with the user names of this moment."""

from __future__ import annotations

from typing import Any

import msgspec

from events.entities import Entities
from events.event import Event
from events.ids import AccountId, MediaId, TweetId
from events.tweets import Place, TweetPosted, TweetRef

from ..deciding import Decision
from ..facts import Account, AccountOf, Facts, IdsNamed, Media, MediaOf, Question, Tweet, TweetFor
from .acting import tweets_of_actor
from .errors import AccountNotFound
from .mentions import names, resolve_mentions
from .usable_media import usable
from .visible import visible


class PostTweet(msgspec.Struct, frozen=True, gc=False):
    """`actor` posts `tweet`; command_api/text has checked the text and found its entities."""

    actor: AccountId
    tweet: TweetId
    text: str
    entities: Entities
    reply_to: TweetId | None = None
    quote_of: TweetId | None = None
    location: Place | None = None
    sensitive: bool = False
    content_warning: str | None = None
    media: tuple[MediaId, ...] = ()


class State(msgspec.Struct, frozen=True, gc=False):
    """The author, the replied and the quoted tweet, the account ids of the mentioned names, and the media."""

    author: Account | None = None
    replied: Tweet | None = None
    quoted: Tweet | None = None
    mentioned: dict[str, AccountId] = msgspec.field(default_factory=dict)
    media: tuple[Media | None, ...] = ()


def decide(command: PostTweet, state: State) -> list[Event]:
    """Return TweetPosted.

    Raises AccountNotFound; TweetNotFound or TweetGone for the replied or quoted tweet; MediaNotFound, MediaGone or
    MediaUnfinished for the media.
    """
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
            entities=resolve_mentions(command.entities, state.mentioned),
            conversation=conversation,
            reply_to=reply_to,
            quote_of=quote_of,
            location=command.location,
            sensitive=command.sensitive,
            content_warning=command.content_warning,
            media=tuple(
                usable(wanted, medium, command.actor) for wanted, medium in zip(command.media, state.media, strict=True)
            ),
        )
    ]


def questions(command: PostTweet) -> tuple[Question[Any], ...]:
    """Ask for the author, the replied and the quoted tweet, the mentioned accounts and the media."""
    asked: list[Question[Any]] = [AccountOf(command.actor), IdsNamed(names(command.entities))]
    if command.reply_to is not None:
        asked.append(TweetFor(command.reply_to, command.actor))
    if command.quote_of is not None:
        asked.append(TweetFor(command.quote_of, command.actor))
    asked += [MediaOf(media) for media in command.media]
    return tuple(asked)


def state(command: PostTweet, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(
        author=facts[AccountOf(command.actor)],
        replied=facts[TweetFor(command.reply_to, command.actor)] if command.reply_to is not None else None,
        quoted=facts[TweetFor(command.quote_of, command.actor)] if command.quote_of is not None else None,
        mentioned=facts[IdsNamed(names(command.entities))],
        media=tuple([facts[MediaOf(media)] for media in command.media]),
    )


POST_TWEET = Decision(tweets_of_actor, questions, state, decide)
