"""Decision state on SQLite: the tables, what the fold writes, and the answers to questions.

Accounts go by their number (events.ids.account_number), half as wide as an id.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import apsw
import msgspec

from events.accounts import AccountRegistered, Profile
from events.event import Envelope
from events.ids import (
    AccountId,
    ActivityId,
    Millis,
    NotificationId,
    SessionId,
    TweetId,
    account_number,
    from_bytes,
    to_bytes,
)
from events.tweets import TweetPosted, TweetRef

from ..facts import (
    Account,
    AccountExists,
    AccountNamed,
    AccountOf,
    EmailTaken,
    Engagement,
    EngagementOf,
    Facts,
    Follow,
    FollowOf,
    HasRead,
    IdsNamed,
    NumberTaken,
    Question,
    ReadUpTo,
    Relation,
    RelationOf,
    Session,
    SessionsOf,
    Tweet,
    TweetFor,
)
from .media import MEDIA_TABLES, SqliteMediaRows

STATE_TABLES: dict[str, str] = {
    "decision_accounts": """(
        number INTEGER PRIMARY KEY, id TEXT NOT NULL, username TEXT NOT NULL, folded TEXT NOT NULL UNIQUE,
        email BLOB UNIQUE, created_at INTEGER NOT NULL, imported INTEGER NOT NULL, profile BLOB NOT NULL,
        version INTEGER NOT NULL)""",
    "decision_tweets": """(
        tweet BLOB PRIMARY KEY, author TEXT NOT NULL, conversation BLOB, reply_to BLOB, reply_author TEXT,
        quote_of BLOB, quote_author TEXT, deleted INTEGER NOT NULL, version INTEGER NOT NULL, fingerprint BLOB NOT NULL
        ) WITHOUT ROWID""",
    "decision_follows": "(a INTEGER, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID",
    "decision_ended_follows": "(a INTEGER, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID",
    "decision_blocks": "(a INTEGER, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID",
    "decision_mutes": "(a INTEGER, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID",
    "decision_likes": "(a INTEGER, tweet BLOB, PRIMARY KEY (a, tweet)) WITHOUT ROWID",
    "decision_retweets": "(a INTEGER, tweet BLOB, retweet BLOB NOT NULL, PRIMARY KEY (a, tweet)) WITHOUT ROWID",
    "decision_bookmarks": "(a INTEGER, tweet BLOB, PRIMARY KEY (a, tweet)) WITHOUT ROWID",
    "decision_read_marks": "(a INTEGER PRIMARY KEY, up_to BLOB NOT NULL)",
    "decision_read": "(a INTEGER, notification BLOB, PRIMARY KEY (a, notification)) WITHOUT ROWID",  # past the mark
    "decision_sessions": "(a INTEGER, session TEXT, PRIMARY KEY (a, session)) WITHOUT ROWID",
    **MEDIA_TABLES,
}
"""Each table's columns. Everything in them is a function of the log."""

_encode = msgspec.json.Encoder().encode
_profile = msgspec.json.Decoder(Profile).decode


def create_state_tables(connection: apsw.Connection) -> None:
    """Create the tables that are missing."""
    for table, columns in STATE_TABLES.items():
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table} {columns}")


def email_digest(key: bytes, email: str) -> bytes:
    """An address as it is compared: whatever the case, and keyed, so that the table gives none away."""
    return hmac.digest(key, email.casefold().encode(), "sha256")[:16]


class SqliteDecisionRows(SqliteMediaRows):
    """The DecisionRows port, and the answers, on one connection.

    `also` answers questions about what is kept beside the decision state (credentials).
    """

    def __init__(
        self,
        connection: apsw.Connection,
        email_key: bytes,
        also: Mapping[type[Question[Any]], Callable[[Any], Any]] = MappingProxyType({}),
    ) -> None:
        super().__init__(connection)
        self._email_key = email_key
        self._answers: dict[type[Question[Any]], Callable[[Any], Any]] = {
            **also,
            AccountOf: self._account_of,
            AccountExists: self._account_exists,
            AccountNamed: self._account_named,
            IdsNamed: self._ids_named,
            NumberTaken: self._number_taken,
            EmailTaken: self._email_taken,
            TweetFor: self._tweet_for,
            RelationOf: self._relation_of,
            FollowOf: self._follow_of,
            EngagementOf: self._engagement_of,
            ReadUpTo: self._read_up_to,
            HasRead: self._has_read,
            SessionsOf: self._sessions_of,
            **self.media_answers,
        }

    def answer(self, questions: tuple[Question[Any], ...]) -> Facts:
        """Answer a command's questions, each with a query of 2-4 us."""
        return Facts({question: self._answers[type(question)](question) for question in questions})

    # What the fold writes

    def account(self, event: AccountRegistered, about: Envelope) -> None:
        """An account began."""
        self.connection.execute(
            "INSERT INTO decision_accounts VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
            (
                account_number(event.account),
                event.account,
                event.username,
                event.username.lower(),
                email_digest(self._email_key, event.email) if event.email is not None else None,
                about.time,
                event.imported,
                _encode(Profile(display_name=event.display_name)),
            ),
        )

    def profile(self, account: AccountId, profile: Profile) -> None:
        """The profile is another."""
        self.connection.execute(
            "UPDATE decision_accounts SET profile=?, version=version+1 WHERE number=?",
            (_encode(profile), account_number(account)),
        )

    def tweet(self, event: TweetPosted, text: bytes) -> None:
        """A tweet is there."""
        reply, quote = event.reply_to, event.quote_of
        self.connection.execute(
            "INSERT INTO decision_tweets VALUES (?, ?, ?, ?, ?, ?, ?, 0, 1, ?)",
            (
                to_bytes(event.tweet),
                event.author,
                to_bytes(event.conversation) if event.conversation != event.tweet else None,
                to_bytes(reply.tweet) if reply else None,
                reply.author if reply else None,
                to_bytes(quote.tweet) if quote else None,
                quote.author if quote else None,
                text,
            ),
        )
        self.media_used(event)

    def edited(self, tweet: TweetId, version: int, text: bytes) -> None:
        """A tweet has another text."""
        self.connection.execute(
            "UPDATE decision_tweets SET version=?, fingerprint=? WHERE tweet=?", (version, text, to_bytes(tweet))
        )

    def deleted(self, tweet: TweetId) -> None:
        """A tweet is gone, and what its text could be guessed by."""
        self.connection.execute(
            "UPDATE decision_tweets SET deleted=1, fingerprint=x'' WHERE tweet=?", (to_bytes(tweet),)
        )

    def follow(self, follower: AccountId, followee: AccountId, there: bool) -> None:
        """A follow is there, or no longer; one that ended is remembered, so that no import brings it back."""
        self._pair("decision_follows", follower, followee, there)
        if not there:
            self.connection.execute(
                "INSERT OR IGNORE INTO decision_ended_follows VALUES (?, ?)",
                (account_number(follower), account_number(followee)),
            )

    def block(self, blocker: AccountId, blocked: AccountId, there: bool) -> None:
        """A block is there, or no longer."""
        self._pair("decision_blocks", blocker, blocked, there)

    def mute(self, owner: AccountId, muted: AccountId, there: bool) -> None:
        """A mute is there, or no longer."""
        self._pair("decision_mutes", owner, muted, there)

    def like(self, actor: AccountId, tweet: TweetId, there: bool) -> None:
        """A like is there, or no longer."""
        self._mark("decision_likes", actor, tweet, there)

    def bookmark(self, owner: AccountId, tweet: TweetId, there: bool) -> None:
        """A bookmark is there, or no longer."""
        self._mark("decision_bookmarks", owner, tweet, there)

    def retweet(self, actor: AccountId, tweet: TweetId, retweet: ActivityId | None) -> None:
        """A retweet is there, or no longer."""
        if retweet is None:
            self.connection.execute(
                "DELETE FROM decision_retweets WHERE a=? AND tweet=?", (account_number(actor), to_bytes(tweet))
            )
        else:
            self.connection.execute(
                "INSERT INTO decision_retweets VALUES (?, ?, ?)",
                (account_number(actor), to_bytes(tweet), to_bytes(retweet)),
            )

    def notification_read(self, owner: AccountId, notification: NotificationId) -> None:
        """One notification was read."""
        self.connection.execute(
            "INSERT INTO decision_read VALUES (?, ?)", (account_number(owner), to_bytes(notification))
        )

    def read_up_to(self, owner: AccountId, notification: NotificationId) -> None:
        """All notifications up to one were read; what was known of each of them is so no longer needed."""
        number, mark = account_number(owner), to_bytes(notification)
        self.connection.execute("INSERT OR REPLACE INTO decision_read_marks VALUES (?, ?)", (number, mark))
        self.connection.execute("DELETE FROM decision_read WHERE a=? AND notification<=?", (number, mark))

    def session(self, owner: AccountId, session: SessionId, there: bool) -> None:
        """A session began, or ended."""
        keep, end = (
            "INSERT INTO decision_sessions VALUES (?, ?)",
            "DELETE FROM decision_sessions WHERE a=? AND session=?",
        )
        self.connection.execute(keep if there else end, (account_number(owner), session))

    def _pair(self, table: str, a: AccountId, b: AccountId, there: bool) -> None:
        self.connection.execute(
            f"INSERT INTO {table} VALUES (?, ?)" if there else f"DELETE FROM {table} WHERE a=? AND b=?",
            (account_number(a), account_number(b)),
        )

    def _mark(self, table: str, actor: AccountId, tweet: TweetId, there: bool) -> None:
        self.connection.execute(
            f"INSERT INTO {table} VALUES (?, ?)" if there else f"DELETE FROM {table} WHERE a=? AND tweet=?",
            (account_number(actor), to_bytes(tweet)),
        )

    # Answers

    _ACCOUNT = "SELECT id, username, created_at, imported, profile, version FROM decision_accounts WHERE "

    def _account(self, row: Any) -> Account | None:
        if row is None:
            return None
        return Account(AccountId(row[0]), row[1], Millis(row[2]), bool(row[3]), _profile(row[4]), row[5])

    def _account_of(self, question: AccountOf) -> Account | None:
        number = account_number(question.account)
        row = self.connection.execute(self._ACCOUNT + "number=?", (number,)).fetchone()
        return self._account(row)

    def _account_exists(self, question: AccountExists) -> bool:
        number = account_number(question.account)
        id_ = self.connection.execute("SELECT id FROM decision_accounts WHERE number=?", (number,)).get
        return bool(id_ == question.account)

    def _account_named(self, question: AccountNamed) -> Account | None:
        row = self.connection.execute(self._ACCOUNT + "folded=?", (question.username.lower(),)).fetchone()
        return self._account(row)

    def _ids_named(self, question: IdsNamed) -> dict[str, AccountId]:
        found = {}
        for name in dict.fromkeys(question.usernames):
            id_ = self.connection.execute("SELECT id FROM decision_accounts WHERE folded=?", (name,)).get
            if id_ is not None:
                found[name] = AccountId(str(id_))
        return found

    def _number_taken(self, question: NumberTaken) -> bool:
        number = account_number(question.account)
        return bool(self.connection.execute("SELECT 1 FROM decision_accounts WHERE number=?", (number,)).get)

    def _email_taken(self, question: EmailTaken) -> bool:
        digest = email_digest(self._email_key, question.email)
        return bool(self.connection.execute("SELECT 1 FROM decision_accounts WHERE email=?", (digest,)).get)

    def _tweet_for(self, question: TweetFor) -> Tweet | None:
        row: Any = self.connection.execute(
            "SELECT author, conversation, reply_to, reply_author, quote_of, quote_author, deleted, version, fingerprint"
            " FROM decision_tweets WHERE tweet=?",
            (to_bytes(question.tweet),),
        ).fetchone()
        if row is None:
            return None
        author, conversation, reply, reply_author, quote, quote_author, deleted, version, text = row
        a, b = account_number(author), account_number(question.viewer)
        blocked = a != b and (self._has("decision_blocks", a, b) or self._has("decision_blocks", b, a))
        return Tweet(
            id=question.tweet,
            author=AccountId(author),
            conversation=TweetId(from_bytes(conversation)) if conversation else question.tweet,
            reply_to=TweetRef(TweetId(from_bytes(reply)), AccountId(reply_author)) if reply else None,
            quote_of=TweetRef(TweetId(from_bytes(quote)), AccountId(quote_author)) if quote else None,
            deleted=bool(deleted),
            version=version,
            fingerprint=text,
            blocked=blocked,
        )

    def _has(self, table: str, a: int, b: int) -> bool:
        return bool(self.connection.execute(f"SELECT 1 FROM {table} WHERE a=? AND b=?", (a, b)).get)

    def _relation_of(self, question: RelationOf) -> Relation:
        a, b = account_number(question.account), account_number(question.other)
        row: Any = self.connection.execute(
            "SELECT EXISTS (SELECT 1 FROM decision_follows WHERE a=?1 AND b=?2),"
            " EXISTS (SELECT 1 FROM decision_follows WHERE a=?2 AND b=?1),"
            " EXISTS (SELECT 1 FROM decision_blocks WHERE a=?1 AND b=?2),"
            " EXISTS (SELECT 1 FROM decision_blocks WHERE a=?2 AND b=?1),"
            " EXISTS (SELECT 1 FROM decision_mutes WHERE a=?1 AND b=?2)",
            (a, b),
        ).fetchone()
        following, followed_by, blocking, blocked_by, muting = map(bool, row)
        return Relation(following, followed_by, blocking, blocked_by, muting)

    def _follow_of(self, question: FollowOf) -> Follow:
        row: Any = self.connection.execute(
            "SELECT EXISTS (SELECT 1 FROM decision_follows WHERE a=?1 AND b=?2),"
            " EXISTS (SELECT 1 FROM decision_ended_follows WHERE a=?1 AND b=?2),"
            " EXISTS (SELECT 1 FROM decision_blocks WHERE a=?1 AND b=?2)"
            " OR EXISTS (SELECT 1 FROM decision_blocks WHERE a=?2 AND b=?1)",
            (account_number(question.follower), account_number(question.followee)),
        ).fetchone()
        return Follow(there=bool(row[0]), ended=bool(row[1]), blocked=bool(row[2]))

    def _engagement_of(self, question: EngagementOf) -> Engagement:
        a, tweet = account_number(question.account), to_bytes(question.tweet)
        row: Any = self.connection.execute(
            "SELECT EXISTS (SELECT 1 FROM decision_likes WHERE a=?1 AND tweet=?2),"
            " (SELECT retweet FROM decision_retweets WHERE a=?1 AND tweet=?2),"
            " EXISTS (SELECT 1 FROM decision_bookmarks WHERE a=?1 AND tweet=?2)",
            (a, tweet),
        ).fetchone()
        return Engagement(bool(row[0]), ActivityId(from_bytes(row[1])) if row[1] else None, bool(row[2]))

    def _read_up_to(self, question: ReadUpTo) -> str:
        number = account_number(question.account)
        mark: Any = self.connection.execute("SELECT up_to FROM decision_read_marks WHERE a=?", (number,)).get
        return "" if mark is None else from_bytes(mark)

    def _has_read(self, question: HasRead) -> bool:
        row: Any = self.connection.execute(
            "SELECT EXISTS (SELECT 1 FROM decision_read_marks WHERE a=?1 AND up_to>=?2)"
            " OR EXISTS (SELECT 1 FROM decision_read WHERE a=?1 AND notification=?2)",
            (account_number(question.account), to_bytes(question.notification)),
        ).fetchone()
        return bool(row[0])

    def _sessions_of(self, question: SessionsOf) -> tuple[Session, ...]:
        rows = self.connection.execute(
            "SELECT session FROM decision_sessions WHERE a=? ORDER BY session", (account_number(question.account),)
        )
        return tuple(Session(SessionId(str(row[0])), question.account) for row in rows)
