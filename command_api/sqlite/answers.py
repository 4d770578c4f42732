"""Answer the questions of decisions on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import apsw

from events.accounts import Role
from events.ids import AccountId, ActivityId, SessionId, account_number, from_bytes, to_bytes

from ..decision_rows import (
    ACCOUNT_COLUMNS,
    MEDIUM_COLUMNS,
    TWEET_COLUMNS,
    account_of,
    email_digest,
    medium_of,
    other_of,
    tweet_of,
)
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
    Media,
    MediaInUse,
    MediaOf,
    Named,
    NumberTaken,
    Other,
    OtherOf,
    Question,
    ReadUpTo,
    RoleOf,
    Session,
    SessionsOf,
    Tweet,
    TweetFor,
)


class SqliteAnswers:
    """Answers questions on one connection. `also` has the questions about other tables, such as credentials."""

    def __init__(
        self,
        connection: apsw.Connection,
        email_key: bytes,
        also: Mapping[type[Question[Any]], Callable[[Any], Any]] = MappingProxyType({}),
    ) -> None:
        self.connection = connection
        self._email_key = email_key
        self._answers: dict[type[Question[Any]], Callable[[Any], Any]] = {
            **also,
            AccountOf: self._account_of,
            AccountExists: self._account_exists,
            AccountNamed: self._account_named,
            RoleOf: self._role_of,
            IdsNamed: self._ids_named,
            NumberTaken: self._number_taken,
            EmailTaken: self._email_taken,
            TweetFor: self._tweet_for,
            OtherOf: self._other_of,
            FollowOf: self._follow_of,
            EngagementOf: self._engagement_of,
            ReadUpTo: self._read_up_to,
            HasRead: self._has_read,
            SessionsOf: self._sessions_of,
            MediaOf: self._media_of,
            MediaInUse: self._media_in_use,
        }

    def answer(self, questions: tuple[Question[Any], ...]) -> Facts:
        """Answer the questions of a command, each with a query of 2-4 us."""
        return Facts({question: self._answers[type(question)](question) for question in questions})

    def _account_of(self, question: AccountOf) -> Account | None:
        return self._account("number", account_number(question.account))

    def _account_named(self, question: AccountNamed) -> Account | None:
        return self._account("folded", question.username.lower())

    def _account(self, column: str, value: int | str) -> Account | None:
        row: Any = self.connection.execute(
            f"SELECT {ACCOUNT_COLUMNS} FROM decision_accounts WHERE {column}=?", (value,)
        ).fetchone()
        return None if row is None else account_of(row)

    def _account_exists(self, question: AccountExists) -> bool:
        number = account_number(question.account)
        id_ = self.connection.execute("SELECT id FROM decision_accounts WHERE number=?", (number,)).get
        return bool(id_ == question.account)

    def _role_of(self, question: RoleOf) -> Role:
        number = account_number(question.account)
        role: Any = self.connection.execute("SELECT role FROM decision_roles WHERE number=?", (number,)).get
        return role or "user"

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
            f"SELECT {TWEET_COLUMNS} FROM decision_tweets WHERE tweet=?", (to_bytes(question.tweet),)
        ).fetchone()
        if row is None:
            return None
        a, b = account_number(row[0]), account_number(question.viewer)
        blocked = a != b and (self._has("decision_blocks", a, b) or self._has("decision_blocks", b, a))
        return tweet_of(question, row, blocked)

    def _has(self, table: str, a: int, b: int) -> bool:
        return bool(self.connection.execute(f"SELECT 1 FROM {table} WHERE a=? AND b=?", (a, b)).get)

    def _other_of(self, question: OtherOf) -> Other | None:
        by_name = isinstance(question.other, Named)
        value = question.other.username.lower() if isinstance(question.other, Named) else account_number(question.other)
        row: Any = self.connection.execute(
            "SELECT id, EXISTS (SELECT 1 FROM decision_follows WHERE a=?1 AND b=number),"
            " EXISTS (SELECT 1 FROM decision_follows WHERE a=number AND b=?1),"
            " EXISTS (SELECT 1 FROM decision_blocks WHERE a=?1 AND b=number),"
            " EXISTS (SELECT 1 FROM decision_blocks WHERE a=number AND b=?1),"
            " EXISTS (SELECT 1 FROM decision_mutes WHERE a=?1 AND b=number)"
            f" FROM decision_accounts WHERE {'folded' if by_name else 'number'}=?2",
            (account_number(question.account), value),
        ).fetchone()
        return None if row is None else other_of(question, row)

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

    def _media_of(self, question: MediaOf) -> Media | None:
        row: Any = self.connection.execute(
            f"SELECT {MEDIUM_COLUMNS} FROM decision_media WHERE media=?", (to_bytes(question.media),)
        ).fetchone()
        return None if row is None else medium_of(row)

    def _media_in_use(self, question: MediaInUse) -> bool:
        row: Any = self.connection.execute(
            "SELECT EXISTS (SELECT 1 FROM decision_media_uses AS u CROSS JOIN decision_tweets AS t ON t.tweet=u.tweet"
            " WHERE u.media=? AND NOT t.deleted)",
            (to_bytes(question.media),),
        ).fetchone()
        return bool(row[0])
