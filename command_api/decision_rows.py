"""The tables of the decision state, declared once for both profiles.

A class declares a table; its fields are the columns in order. Accounts are referenced by their number
(events.ids.account_number), which is half as wide as an id. Adapters generate the SQL of their engine from the classes.
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

from .facts import Account, Media, Named, Other, OtherOf, Relation, StoredFile, Tweet, TweetFor

Value = int | str | bytes | None
Row = tuple[Value, ...]
"""A row of a table, or a change of a row: an instance of a class below."""


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


class RoleRow(NamedTuple):
    """The role of an account, unless it is `user`."""

    number: int
    id: str
    role: str


class TweetRow(NamedTuple):
    """A tweet. `conversation` is None if the tweet starts the conversation."""

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
    """A relation from account `a` to account `b`, by their numbers."""

    a: int
    b: int


class FollowRow(Pair):
    """A follow."""


class EndedFollowRow(Pair):
    """A follow that has ended, kept so that an import does not restore it."""


class BlockRow(Pair):
    """A block."""


class MuteRow(Pair):
    """A mute."""


class TweetRelationRow(NamedTuple):
    """A relation from account `a` to a tweet."""

    a: int
    tweet: bytes


class LikeRow(TweetRelationRow):
    """A like."""


class BookmarkRow(TweetRelationRow):
    """A bookmark."""


class RetweetRow(NamedTuple):
    """A retweet, with its id."""

    a: int
    tweet: bytes
    retweet: bytes


class ReadMarkRow(NamedTuple):
    """The read mark of an account: all notifications up to `up_to` are read."""

    a: int
    up_to: bytes


class ReadRow(NamedTuple):
    """A single read notification that is newer than the read mark."""

    a: int
    notification: bytes


class SessionRow(NamedTuple):
    """An open session."""

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
    """A tweet, deleted or not, that shows a medium."""

    media: bytes
    tweet: bytes


class ProfileChange(NamedTuple):
    """Replace the profile of an account and add 1 to its version."""

    number: int
    profile: bytes


class TextChange(NamedTuple):
    """Set the version and the text fingerprint of a tweet."""

    tweet: bytes
    version: int
    fingerprint: bytes


class TweetDeletion(NamedTuple):
    """Mark a tweet as deleted, and clear its fingerprint, which could confirm a guess of the text."""

    tweet: bytes
    deleted: int = 1
    fingerprint: bytes = b""


class MediumDeletion(NamedTuple):
    """Mark a medium as deleted. Only its object key is kept, so that the object can be deleted again."""

    media: bytes
    attachment: bytes
    deleted: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its name, the columns of its key, and the topic of the events that write it.

    `account` is the column that names the account of a row; `unique` are other unique columns.
    """

    name: str
    key: tuple[str, ...]
    topic: str
    account: str = "a"
    unique: tuple[str, ...] = ()


TABLES: Mapping[type[Row], Table] = {
    AccountRow: Table("decision_accounts", ("number",), "accounts", "id", unique=("folded", "email")),
    RoleRow: Table("decision_roles", ("number",), "accounts", "id"),
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
"""All tables of the decision state. Their rows are a function of the log."""

BY_NAME: Mapping[str, Table] = {table.name: table for table in TABLES.values()}


class Change(NamedTuple):
    """The table of a change; `counted` is a column that the change increases by 1."""

    row: type[Row]
    counted: str | None = None


CHANGES: Mapping[type[Row], Change] = {
    ProfileChange: Change(AccountRow, counted="version"),
    TextChange: Change(TweetRow),
    TweetDeletion: Change(TweetRow),
    MediumDeletion: Change(MediumRow),
}
"""All changes of rows. The first fields of a change are the key of the row."""


class Column(NamedTuple):
    """The type of a column, and whether it can be NULL."""

    kind: type[Any]
    optional: bool


@cache
def columns(row: type[Row]) -> dict[str, Column]:
    """Return the columns of a row or a change, in order."""
    found = {}
    for name, hint in get_type_hints(row).items():
        kinds = get_args(hint) or (hint,)
        found[name] = Column(kinds[0], type(None) in kinds)
    return found


class DecisionRows(Protocol):
    """The port that writes the decision state in a transaction."""

    def insert(self, row: Row) -> None:
        """Insert a row with a new key."""
        ...

    def replace(self, row: Row) -> None:
        """Insert a row, or replace the row with its key."""
        ...

    def delete(self, table: type[Row], *key: Value) -> None:
        """Delete the row with a key."""
        ...

    def change(self, change: Row) -> None:
        """Change columns of the row with the key of the change."""
        ...

    def delete_read(self, mark: ReadMarkRow) -> None:
        """Delete the rows of single read notifications of an account up to its read mark."""
        ...


# What is in the cells, and what rows mean to decisions

encode = msgspec.json.Encoder().encode
_attachment = msgspec.json.Decoder(Attachment).decode
_profile = msgspec.json.Decoder(Profile).decode

ACCOUNT_COLUMNS = "id, username, created_at, imported, profile, version"
TWEET_COLUMNS = "author, conversation, reply_to, reply_author, quote_of, quote_author, deleted, version, fingerprint"
MEDIUM_COLUMNS = "owner, attachment, object, size, deleted"


def email_digest(key: bytes, email: str) -> bytes:
    """Return a keyed digest of an address, ignoring case, so that the table reveals no address."""
    return hmac.digest(key, email.casefold().encode(), "sha256")[:16]


def account_of(row: Sequence[Any]) -> Account:
    """Return the account from a row of ACCOUNT_COLUMNS."""
    id_, username, created_at, imported, profile, version = row
    return Account(AccountId(id_), username, Millis(created_at), bool(imported), _profile(profile), version)


def tweet_of(question: TweetFor, row: Sequence[Any], blocked: bool) -> Tweet:
    """Return the tweet from a row of TWEET_COLUMNS."""
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
    """Return the other account from a row of its id and the fields of Relation; None if the row has another id."""
    id_, *relation = row
    if id_ != question.other and not isinstance(question.other, Named):
        return None  # two ids can have one number
    return Other(AccountId(id_), Relation(*map(bool, relation)))


def medium_of(row: Sequence[Any]) -> Media:
    """Return the medium from a row of MEDIUM_COLUMNS."""
    owner, attached, object_, size, deleted = row
    attachment = _attachment(attached)
    stored = object_ and StoredFile(attachment.content_type, object_, size, attachment.width, attachment.height)
    return Media(AccountId(owner), attachment, stored, bool(deleted))
