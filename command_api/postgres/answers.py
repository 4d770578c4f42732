"""Answer the questions of decisions on PostgreSQL: one statement for each kind of question of a group of commands.

Each question is a subquery of at most one row, run for each row of a set of values. A question that several commands
ask runs once. Each connection prepares the statement of a kind once. All statements go out in one round trip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from events.ids import AccountId, ActivityId, SessionId, account_number, from_bytes, to_bytes
from events.postgres.connections import Connection, Cursor, Statement

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
from . import sets

Row = Sequence[Any]


class Asked(NamedTuple):
    """A question as a subquery: its SQL, its values (str, bytes or int), and a function from a row to the answer.

    `columns` is the number of columns. If the subquery finds no row, all of them are None.
    """

    sql: str
    values: tuple[Any, ...]
    columns: int
    means: Callable[[Row], Any]


Asking = Callable[[Any], Asked]


class Inquiry:
    """All questions of one kind, as one statement."""

    __slots__ = ("asked", "sql")

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.asked: list[tuple[Question[Any], Asked]] = []

    @property
    def statement(self) -> Statement:
        """Return the statement; it yields one row for each question, with the question's number first."""
        values = [(n, *asked.values) for n, (_, asked) in enumerate(self.asked)]
        return _for_each(self.sql, tuple(_TYPES[type(value)] for value in values[0][1:])), (
            sets.value(_NAMES[: len(values[0])], values),
        )

    def read(self, rows: Iterable[Row]) -> dict[Question[Any], Any]:
        """Return the answers, by question, from the rows of the statement."""
        answers = {}
        for number, *row in rows:
            question, asked = self.asked[number]
            answers[question] = asked.means(row)
        return answers


_TYPES = {str: "text", bytes: "bytea", int: "bigint"}
_NAMES = ("n", *(f"v{place}" for place in range(1, 13)))


@lru_cache(maxsize=256)
def _for_each(sql: str, types: tuple[str, ...]) -> str:
    """Return SQL that runs the subquery for each row of a set. LIMIT forces a lookup; a join might scan the table."""
    names = _NAMES[1 : len(types) + 1]
    for name in names:
        sql = sql.replace("%s", f"asked.{name}", 1)
    columns = {"n": "integer", **dict(zip(names, types, strict=True))}
    return f"SELECT asked.n, q.* FROM {sets.rows(columns, 'asked')} LEFT JOIN LATERAL ({sql} LIMIT 1) AS q ON true"


class QuestionReader:
    """Sends questions and reads the answers. `also` has the questions about other tables, such as credentials."""

    def __init__(self, email_key: bytes, also: Mapping[type[Question[Any]], Asking]) -> None:
        self._email_key = email_key
        self._asking: dict[type[Question[Any]], Asking] = {
            **also,
            AccountOf: lambda q: _account("number", account_number(q.account)),
            AccountNamed: lambda q: _account("folded", q.username.lower()),
            AccountExists: _account_exists,
            RoleOf: _role_of,
            IdsNamed: _ids_named,
            NumberTaken: lambda q: _there("number", account_number(q.account)),
            EmailTaken: lambda q: _there("email", email_digest(self._email_key, q.email)),
            TweetFor: _tweet_for,
            OtherOf: _other_of,
            FollowOf: _follow_of,
            EngagementOf: _engagement_of,
            ReadUpTo: _read_up_to,
            HasRead: _has_read,
            SessionsOf: _sessions_of,
            MediaOf: _media_of,
            MediaInUse: _media_in_use,
        }

    def inquiries(self, questions: Iterable[Question[Any]]) -> list[Inquiry]:
        """Group the questions by kind; questions with a constant answer are left out."""
        kinds: dict[str, Inquiry] = {}
        for question in dict.fromkeys(questions):
            if question == NOBODY_NAMED:
                continue
            asked = self._asking[type(question)](question)
            inquiry = kinds.get(asked.sql)
            if inquiry is None:
                inquiry = kinds[asked.sql] = Inquiry(asked.sql)
            inquiry.asked.append((question, asked))
        return list(kinds.values())

    async def read(self, asked: Sequence[tuple[Inquiry, Cursor]]) -> Facts:
        """Return the answers from the cursors of sent questions."""
        answers: dict[Question[Any], Any] = {NOBODY_NAMED: {}}
        for inquiry, cursor in asked:
            answers.update(inquiry.read(await cursor.fetchall()))
        return Facts(answers)

    async def ask(self, connection: Connection, questions: Sequence[Question[Any]]) -> Facts:
        """Ask questions outside any command, as of the newest commit."""
        inquiries = self.inquiries(questions)
        if len(inquiries) == 1:
            return await self.read([(inquiries[0], await put(connection, inquiries[0]))])
        async with connection.pipeline():
            asked = [(inquiry, await put(connection, inquiry)) for inquiry in inquiries]
        return await self.read(asked)


NOBODY_NAMED = IdsNamed(())
"""The question of a tweet without mentions, which needs no query."""


async def put(connection: Connection, inquiry: Inquiry) -> Cursor:
    """Send an inquiry; the cursor has the rows once the pipeline is synchronised."""
    sql, values = inquiry.statement
    return await connection.execute(sql.encode(), values)


def _account(column: str, value: Any) -> Asked:
    sql = f"SELECT {ACCOUNT_COLUMNS} FROM decision_accounts WHERE {column}=%s"

    def means(row: Row) -> Account | None:
        return None if row[0] is None else account_of(row)

    return Asked(sql, (value,), 6, means)


def _there(column: str, value: Any) -> Asked:
    return Asked(f"SELECT 1 FROM decision_accounts WHERE {column}=%s", (value,), 1, lambda row: row[0] is not None)


def _account_exists(question: AccountExists) -> Asked:
    return Asked(
        "SELECT id FROM decision_accounts WHERE number=%s",
        (account_number(question.account),),
        1,
        lambda row: bool(row[0] == question.account),
    )


def _role_of(question: RoleOf) -> Asked:
    number = account_number(question.account)
    return Asked("SELECT role FROM decision_roles WHERE number=%s", (number,), 1, lambda row: row[0] or "user")


def _ids_named(question: IdsNamed) -> Asked:
    def means(row: Row) -> dict[str, AccountId]:
        found = dict(zip(row[0] or (), row[1] or (), strict=True))
        return {name: AccountId(found[name]) for name in dict.fromkeys(question.usernames) if name in found}

    sql = "SELECT array_agg(folded), array_agg(id) FROM decision_accounts WHERE folded = ANY(string_to_array(%s, ','))"
    return Asked(sql, (",".join(question.usernames),), 2, means)


_BLOCK = "EXISTS (SELECT 1 FROM decision_blocks WHERE a={} AND b={})"


def _tweet_for(question: TweetFor) -> Asked:
    author = "account_number(t.author)"
    sql = (
        f"SELECT {TWEET_COLUMNS},"
        f" {_BLOCK.format(author, '%s')} OR {_BLOCK.format('%s', author)} FROM decision_tweets AS t WHERE tweet=%s"
    )
    viewer = account_number(question.viewer)

    def means(row: Row) -> Tweet | None:
        *tweet, blocked = row
        return None if row[0] is None else tweet_of(question, tweet, blocked)

    return Asked(sql, (viewer, viewer, to_bytes(question.tweet)), 10, means)


def _pairs(*tables: tuple[str, int, int]) -> Asked:
    sql = ", ".join(f"EXISTS (SELECT 1 FROM decision_{table} WHERE a=%s AND b=%s)" for table, _, _ in tables)
    values = tuple(number for _, a, b in tables for number in (a, b))
    return Asked(f"SELECT {sql}", values, len(tables), lambda row: row)


_FOLLOW = "EXISTS (SELECT 1 FROM decision_follows WHERE a={} AND b={})"
_MUTE = "EXISTS (SELECT 1 FROM decision_mutes WHERE a={} AND b={})"
_RELATION = ", ".join(
    there.format(*pair)
    for there, pair in (
        (_FOLLOW, ("%s", "number")),
        (_FOLLOW, ("number", "%s")),
        (_BLOCK, ("%s", "number")),
        (_BLOCK, ("number", "%s")),
        (_MUTE, ("%s", "number")),
    )
)


def _other_of(question: OtherOf) -> Asked:
    column, value = (
        ("folded", question.other.username.lower())
        if isinstance(question.other, Named)
        else ("number", account_number(question.other))
    )
    sql = f"SELECT id, {_RELATION} FROM decision_accounts WHERE {column}=%s"

    def means(row: Row) -> Other | None:
        return None if row[0] is None else other_of(question, row)

    return Asked(sql, (*[account_number(question.account)] * 5, value), 6, means)


def _follow_of(question: FollowOf) -> Asked:
    a, b = account_number(question.follower), account_number(question.followee)
    asked = _pairs(("follows", a, b), ("ended_follows", a, b), ("blocks", a, b), ("blocks", b, a))
    return asked._replace(means=lambda row: Follow(there=row[0], ended=row[1], blocked=row[2] or row[3]))


def _engagement_of(question: EngagementOf) -> Asked:
    row = account_number(question.account), to_bytes(question.tweet)
    sql = (
        "SELECT EXISTS (SELECT 1 FROM decision_likes WHERE a=%s AND tweet=%s),"
        " (SELECT retweet FROM decision_retweets WHERE a=%s AND tweet=%s),"
        " EXISTS (SELECT 1 FROM decision_bookmarks WHERE a=%s AND tweet=%s)"
    )

    def means(row: Row) -> Engagement:
        return Engagement(row[0], ActivityId(from_bytes(row[1])) if row[1] else None, row[2])

    return Asked(sql, row * 3, 3, means)


def _read_up_to(question: ReadUpTo) -> Asked:
    sql = "SELECT up_to FROM decision_read_marks WHERE a=%s"
    number = account_number(question.account)
    return Asked(sql, (number,), 1, lambda row: "" if row[0] is None else from_bytes(row[0]))


def _has_read(question: HasRead) -> Asked:
    row = account_number(question.account), to_bytes(question.notification)
    sql = (
        "SELECT EXISTS (SELECT 1 FROM decision_read_marks WHERE a=%s AND up_to>=%s)"
        " OR EXISTS (SELECT 1 FROM decision_read WHERE a=%s AND notification=%s)"
    )
    return Asked(sql, row * 2, 1, lambda row: bool(row[0]))


def _sessions_of(question: SessionsOf) -> Asked:
    def means(row: Row) -> tuple[Session, ...]:
        return tuple(Session(SessionId(session), question.account) for session in row[0] or ())

    sql = "SELECT array_agg(session ORDER BY session) FROM decision_sessions WHERE a=%s"
    return Asked(sql, (account_number(question.account),), 1, means)


def _media_of(question: MediaOf) -> Asked:
    def means(row: Row) -> Media | None:
        return None if row[0] is None else medium_of(row)

    sql = f"SELECT {MEDIUM_COLUMNS} FROM decision_media WHERE media=%s"
    return Asked(sql, (to_bytes(question.media),), 5, means)


def _media_in_use(question: MediaInUse) -> Asked:
    sql = (
        "SELECT EXISTS (SELECT 1 FROM decision_media_uses AS u JOIN decision_tweets AS t ON t.tweet=u.tweet"
        " WHERE u.media=%s AND t.deleted=0)"
    )
    return Asked(sql, (to_bytes(question.media),), 1, lambda row: bool(row[0]))
