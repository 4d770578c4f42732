"""The rows that decisions are made from: each table is declared once, for both profiles.

A class is a table and its fields are the columns, in their order. Accounts go by their number
(events.ids.account_number), half as wide as an id. Adapters make the SQL of their engine from the declaration.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, Protocol, get_args, get_type_hints

import msgspec

from events.accounts import Profile
from events.ids import AccountId, Millis, TweetId, from_bytes
from events.media import Attachment
from events.tweets import TweetRef

from .facts import Account, Media, Named, Other, OtherOf, Relation, Tweet, TweetFor

Value = int | str | bytes | None
Row = tuple[Value, ...]
"""A row of a table, or a change of one: an object of a class below."""


class AccountRow(NamedTuple):
    """An account. Its name, in lower case, and its address are unique."""

    number: int
    id: str
    username: str
    folded: str
    email: bytes | None
    created_at: int
    imported: int
    profile: bytes
    version: int = 1


class TweetRow(NamedTuple):
    """A tweet. `conversation` is None where the tweet began it."""

    tweet: bytes
    author: str
    conversation: bytes | None
    reply_to: bytes | None
    reply_author: str | None
    quote_of: bytes | None
    quote_author: str | None
    deleted: int
    version: int
    fingerprint: bytes


class Pair(NamedTuple):
    """What `a` did to `b`, both accounts."""

    a: int
    b: int


class FollowRow(Pair):
    """A follow."""


class EndedFollowRow(Pair):
    """A follow that ended once, remembered so that no import brings it back."""


class BlockRow(Pair):
    """A block."""


class MuteRow(Pair):
    """A mute."""


class OnTweet(NamedTuple):
    """What an account did with a tweet."""

    a: int
    tweet: bytes


class LikeRow(OnTweet):
    """A like."""


class BookmarkRow(OnTweet):
    """A bookmark."""


class RetweetRow(NamedTuple):
    """A retweet, with its id."""

    a: int
    tweet: bytes
    retweet: bytes


class ReadMarkRow(NamedTuple):
    """Up to which notification an account has read all."""

    a: int
    up_to: bytes


class ReadRow(NamedTuple):
    """A notification past the mark that was read by itself."""

    a: int
    notification: bytes


class SessionRow(NamedTuple):
    """A session that has not ended."""

    a: int
    session: str


class MediumRow(NamedTuple):
    """A medium. `object` and `size` are None until it is finished."""

    media: bytes
    owner: str
    attachment: bytes
    object: str | None
    size: int | None
    deleted: int = 0


class MediumUseRow(NamedTuple):
    """A tweet that shows a medium, deleted or not."""

    media: bytes
    tweet: bytes


class ProfileChange(NamedTuple):
    """An account's profile is another; its version is one more."""

    number: int
    profile: bytes


class TextChange(NamedTuple):
    """A tweet has another text."""

    tweet: bytes
    version: int
    fingerprint: bytes


class TweetDeletion(NamedTuple):
    """A tweet is deleted. The fingerprint goes: the text could be guessed by it."""

    tweet: bytes
    deleted: int = 1
    fingerprint: bytes = b""


class MediumDeletion(NamedTuple):
    """A medium is deleted. Only its key is kept, so that the object can be removed again."""

    media: bytes
    attachment: bytes
    deleted: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """A table, by the columns of its key. Its rows are made by one topic's events; `account` tells whose a row is."""

    name: str
    key: tuple[str, ...]
    topic: str
    account: str = "a"
    unique: tuple[str, ...] = ()


TABLES: Mapping[type[Row], Table] = {
    AccountRow: Table("decision_accounts", ("number",), "accounts", "id", unique=("folded", "email")),
    TweetRow: Table("decision_tweets", ("tweet",), "tweets", "author"),
    FollowRow: Table("decision_follows", ("a", "b"), "graph"),
    EndedFollowRow: Table("decision_ended_follows", ("a", "b"), "graph"),
    BlockRow: Table("decision_blocks", ("a", "b"), "graph"),
    MuteRow: Table("decision_mutes", ("a", "b"), "personal"),
    LikeRow: Table("decision_likes", ("a", "tweet"), "engagement"),
    RetweetRow: Table("decision_retweets", ("a", "tweet"), "engagement"),
    BookmarkRow: Table("decision_bookmarks", ("a", "tweet"), "personal"),
    ReadMarkRow: Table("decision_read_marks", ("a",), "personal"),
    ReadRow: Table("decision_read", ("a", "notification"), "personal"),
    SessionRow: Table("decision_sessions", ("a", "session"), "personal"),
    MediumRow: Table("decision_media", ("media",), "media", "owner"),
    MediumUseRow: Table("decision_media_uses", ("media", "tweet"), "tweets", "tweet"),
}
"""Everything in them is a function of the log."""

BY_NAME: Mapping[str, Table] = {table.name: table for table in TABLES.values()}


class Change(NamedTuple):
    """What a change is of: a table. `counted` is a column that grows by one as well."""

    row: type[Row]
    counted: str | None = None


CHANGES: Mapping[type[Row], Change] = {
    ProfileChange: Change(AccountRow, counted="version"),
    TextChange: Change(TweetRow),
    TweetDeletion: Change(TweetRow),
    MediumDeletion: Change(MediumRow),
}
"""Changes of some columns of a row; those of its key come first."""


class Column(NamedTuple):
    """The type of a column, and whether it may be empty."""

    kind: type[Any]
    optional: bool


@cache
def columns(row: type[Row]) -> dict[str, Column]:
    """The columns of a row or a change, in order."""
    found = {}
    for name, hint in get_type_hints(row).items():
        kinds = get_args(hint) or (hint,)
        found[name] = Column(kinds[0], type(None) in kinds)
    return found


class DecisionRows(Protocol):
    """The tables of one engine, written within a transaction."""

    def insert(self, row: Row) -> None:
        """Insert a row with a new key."""
        ...

    def replace(self, row: Row) -> None:
        """Insert a row, in place of the one that has its key."""
        ...

    def delete(self, table: type[Row], *key: Value) -> None:
        """Delete the row with a key."""
        ...

    def change(self, change: Row) -> None:
        """Change columns of the row that has the change's key."""
        ...

    def delete_read(self, mark: ReadMarkRow) -> None:
        """Delete the read notifications of an account up to its mark."""
        ...


# What is in the cells, and what rows mean to decisions

encode = msgspec.json.Encoder().encode
_attachment = msgspec.json.Decoder(Attachment).decode
_profile = msgspec.json.Decoder(Profile).decode

ACCOUNT_COLUMNS = "id, username, created_at, imported, profile, version"
TWEET_COLUMNS = "author, conversation, reply_to, reply_author, quote_of, quote_author, deleted, version, fingerprint"
MEDIUM_COLUMNS = "owner, attachment, object, size, deleted"


def email_digest(key: bytes, email: str) -> bytes:
    """An address as it is compared: whatever the case, and keyed, so that the table gives none away."""
    return hmac.digest(key, email.casefold().encode(), "sha256")[:16]


def account_of(row: Sequence[Any]) -> Account:
    """The account that ACCOUNT_COLUMNS tell."""
    id_, username, created_at, imported, profile, version = row
    return Account(AccountId(id_), username, Millis(created_at), bool(imported), _profile(profile), version)


def tweet_of(question: TweetFor, row: Sequence[Any], blocked: bool) -> Tweet:
    """The tweet that TWEET_COLUMNS tell."""
    author, conversation, reply, reply_author, quote, quote_author, deleted, version, fingerprint = row
    return Tweet(
        id=question.tweet,
        author=AccountId(author),
        conversation=TweetId(from_bytes(conversation)) if conversation else question.tweet,
        reply_to=TweetRef(TweetId(from_bytes(reply)), AccountId(reply_author)) if reply else None,
        quote_of=TweetRef(TweetId(from_bytes(quote)), AccountId(quote_author)) if quote else None,
        deleted=bool(deleted),
        version=version,
        fingerprint=fingerprint,
        blocked=blocked,
    )


def other_of(question: OtherOf, row: Sequence[Any]) -> Other | None:
    """The other account, from its id and what a Relation has, in order; None where the id is not the one asked for."""
    id_, *relation = row
    if id_ != question.other and not isinstance(question.other, Named):
        return None  # two ids can have one number
    return Other(AccountId(id_), Relation(*map(bool, relation)))


def medium_of(row: Sequence[Any]) -> Media:
    """The medium that MEDIUM_COLUMNS tell."""
    owner, attachment, object_, size, deleted = row
    return Media(AccountId(owner), _attachment(attachment), object_, size, bool(deleted))
