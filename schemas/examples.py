"""One example of each event: an afternoon on which Ada and Bob meet, in the order of time.

The ids and the keys are fixed, so the generated files are the same on every run. The keys are used for nothing else.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from events.accounts import AccountClaimed, AccountRegistered, PasswordChanged, Profile, ProfileChanged, RoleChanged
from events.codec import Codec
from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.entities import Entities, Hashtag, Mention, Url
from events.event import BY_CLASS, Envelope, Event, EventType
from events.graph import AccountBlocked, AccountFollowed, AccountUnblocked, AccountUnfollowed
from events.ids import AccountId, ActivityId, EventId, MediaId, Millis, NotificationId, SessionId, TweetId, id_at
from events.log import New, Record
from events.media import Attachment, MediaDeleted, MediaFinished, UploadStarted
from events.notifications import NotificationRaised, NotificationWithdrawn
from events.operations import DeadLetterDiscarded, ReadModelSwitched, SealedFieldsOpened
from events.personal import (
    AccountMuted,
    AccountUnmuted,
    BookmarkRemoved,
    NotificationRead,
    NotificationsRead,
    SessionEnded,
    SessionStarted,
    TweetBookmarked,
)
from events.public_tweets import TweetPublished, TweetRetracted
from events.sealing import MasterKeys, Sealer, WrappedKey
from events.sentiment import ScoreWithdrawn, TweetScored
from events.trends import Trend, TrendsRanked
from events.tweets import Place, TweetDeleted, TweetEdited, TweetPosted, TweetRef
from events.usage import AccountActive
from runtime.cli.cloud_events import as_cloud_event

NOON = Millis(1_795_176_000_000)
"""2026-11-20T12:00:00Z."""


def _at(minutes: int) -> Millis:
    return Millis(NOON + minutes * 60_000)


ADA = AccountId(id_at(_at(0), "account", "ada"))
BOB = AccountId(id_at(_at(1), "account", "bob"))
FIRST = TweetId(id_at(_at(3), "tweet", "first"))
REPLY = TweetId(id_at(_at(6), "tweet", "reply"))
RETWEET = ActivityId(id_at(_at(8), "retweet", "bob", "first"))
SESSION = SessionId(id_at(_at(2), "session", "ada"))
PHOTO = MediaId(id_at(_at(2), "media", "photo"))
VIDEO = MediaId(id_at(_at(2), "media", "video"))
TOLD = NotificationId(id_at(_at(6), "notification", "reply"))

TEXT = "Counting with @bob at the #Museum https://example.com/engine"
EDITED = "Counting with @bob at the #museum https://example.com/engine"


PROFILE = Profile(display_name="Ada L.", bio="Engines.", location="London", avatar=PHOTO)
ALT = "Brass wheels on a shaft"


def _entities(tag: str) -> Entities:
    return Entities(
        hashtags=(Hashtag(tag, 26, 33),),
        mentions=(Mention("bob", 14, 18, BOB),),
        urls=(Url("https://example.com/engine", 34, 60),),
    )


STORY: tuple[tuple[int, AccountId | None, Event], ...] = (
    (0, ADA, AccountRegistered(account=ADA, username="ada", display_name="Ada", email="ada@example.com")),
    (1, None, AccountClaimed(account=BOB)),
    (1, ADA, ProfileChanged(account=ADA, profile=PROFILE)),
    (1, BOB, PasswordChanged(account=BOB)),
    (1, None, RoleChanged(account=BOB, role="analyst")),
    (2, ADA, SessionStarted(owner=ADA, session=SESSION, user_agent="curl/8.5.0", ip="203.0.113.7")),
    (2, BOB, AccountFollowed(follower=BOB, followee=ADA)),
    (2, ADA, UploadStarted(media=PHOTO, owner=ADA, content_type="image/jpeg", alt=ALT)),
    (
        2,
        ADA,
        MediaFinished(
            media=PHOTO,
            owner=ADA,
            content_type="image/jpeg",
            object=f"finished/{id_at(_at(2), 'object', 'photo')}.jpg",
            size=183_204,
            width=1200,
            height=800,
            alt=ALT,
        ),
    ),
    (
        3,
        ADA,
        TweetPosted(
            tweet=FIRST,
            author=ADA,
            text=TEXT,
            entities=_entities("Museum"),
            conversation=FIRST,
            location=Place(lat=51.4974, lon=-0.1745, name="Science Museum"),
            content_warning="loud machinery",
            sensitive=True,
            media=(Attachment(media=PHOTO, content_type="image/jpeg", width=1200, height=800, alt=ALT),),
        ),
    ),
    (
        3,
        ADA,
        TweetScored(
            tweet=FIRST, author=ADA, version=1, label="neutral", score=0.0, hashtags=("museum",), mentions=("bob",)
        ),
    ),
    (4, ADA, TweetEdited(tweet=FIRST, author=ADA, version=2, text=EDITED, entities=_entities("museum"))),
    (
        4,
        ADA,
        TweetPublished(
            tweet=FIRST,
            author=ADA,
            version=2,
            text=EDITED,
            entities=_entities("museum"),
            label="neutral",
            score=0.0,
            sensitive=True,
        ),
    ),
    (5, BOB, TweetLiked(tweet=FIRST, author=ADA, actor=BOB)),
    (6, BOB, NotificationRaised(notification=TOLD, recipient=ADA, kind="reply", actor=BOB, tweet=REPLY)),
    (7, BOB, TweetUnliked(tweet=FIRST, author=ADA, actor=BOB)),
    (8, BOB, TweetRetweeted(retweet=RETWEET, tweet=FIRST, author=ADA, actor=BOB)),
    (9, BOB, RetweetUndone(retweet=RETWEET, tweet=FIRST, author=ADA, actor=BOB)),
    (10, ADA, TweetBookmarked(owner=ADA, tweet=REPLY, author=BOB)),
    (11, ADA, BookmarkRemoved(owner=ADA, tweet=REPLY, author=BOB)),
    (12, ADA, NotificationRead(owner=ADA, notification=TOLD)),
    (13, ADA, NotificationsRead(owner=ADA, up_to=TOLD)),
    (14, BOB, TweetDeleted(tweet=REPLY, author=BOB, reply_to=TweetRef(FIRST, ADA))),
    (14, BOB, ScoreWithdrawn(tweet=REPLY, author=BOB)),
    (14, BOB, TweetRetracted(tweet=REPLY)),
    (14, BOB, NotificationWithdrawn(notification=TOLD, recipient=ADA)),
    (15, ADA, AccountMuted(owner=ADA, muted=BOB)),
    (16, ADA, AccountUnmuted(owner=ADA, muted=BOB)),
    (17, ADA, AccountBlocked(blocker=ADA, blocked=BOB)),
    (17, ADA, AccountUnfollowed(follower=BOB, followee=ADA)),
    (18, ADA, AccountUnblocked(blocker=ADA, blocked=BOB)),
    (18, ADA, MediaDeleted(media=VIDEO, owner=ADA)),
    (19, ADA, SessionEnded(owner=ADA, session=SESSION, reason="logout")),
    (20, None, AccountActive(account=ADA, day="2026-11-20")),
    (
        60,
        None,
        TrendsRanked(
            window="1h/2026-11-20T13:00:00.000Z",
            start=_at(0),
            end=_at(60),
            items=(Trend(tag="museum", count=1, authors=1, expected=0.25, score=1.5),),
        ),
    ),
    (90, None, ReadModelSwitched(model="user_timelines", generation=2, version=1)),
    (95, None, DeadLetterDiscarded(position="tweets-3@42", group="serving", type="TweetPosted")),
    (96, None, SealedFieldsOpened(by="carol", topics=("tweets",), purpose="a study of museum visits")),
)
"""Minutes past noon, the acting account, and the event."""

RECORDED_AFTER = Millis(40)
"""The time from an event to its append, in milliseconds."""


def examples() -> dict[str, New]:
    """Return the example of each event, by the event's name. Raises KeyError with the names of events without one."""
    table: dict[str, New] = {}
    for minutes, actor, event in STORY:
        name = type(event).__name__
        id_ = EventId(id_at(Millis(_at(minutes) + RECORDED_AFTER), "event", name))
        correlation = id_at(_at(minutes), "request", name)
        table[name] = New(event, Envelope(id_, _at(minutes), correlation=correlation, actor=actor or ""))
    missing = sorted(kind.name for kind in BY_CLASS.values() if kind.name not in table)
    if missing:
        raise KeyError(f"no example of {', '.join(missing)}; add one to schemas/examples.py")
    return table


def masters() -> MasterKeys:
    """Return the master key of the examples."""
    return MasterKeys({"example": hashlib.sha256(b"master key of the examples").digest()})


def subject_keys() -> dict[AccountId, WrappedKey]:
    """Return the wrapped keys of Ada and Bob."""
    return {account: masters().wrap(hashlib.sha256(account.encode()).digest()) for account in (ADA, BOB)}


def codec() -> Codec:
    """Return a codec that seals and opens the examples."""
    sealer = Sealer(masters())
    sealer.learn(subject_keys())
    return Codec(sealer)


def cloud_event(kind: EventType, new: New) -> dict[str, Any]:
    """Return the example as structured CloudEvents JSON: the first record of its topic, data in the wire form."""
    record = Record(kind.topic, 0, 0, kind.key(new.event), kind.name, kind.version, new.event, new.about)
    wire = msgspec.json.decode(codec().encode(new.event, new.about.id))
    return as_cloud_event(record, unseal=False) | {"data": wire}
