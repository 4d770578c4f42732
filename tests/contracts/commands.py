"""Short functions that execute commands in tests. `say` writes answers with the decided events."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from command_api.deciding import Answer, Context, Decided, Decision, Idempotency, Outcome, PrivateChange, Refused
from command_api.domain.edit_tweet import EDIT_TWEET, EditTweet
from command_api.domain.follow_account import FOLLOW_ACCOUNT, FollowAccount
from command_api.domain.import_account import IMPORT_ACCOUNT, ImportAccount
from command_api.domain.like_tweet import LIKE_TWEET, LikeTweet
from command_api.domain.post_tweet import POST_TWEET, PostTweet
from command_api.domain.unlike_tweet import UNLIKE_TWEET, UnlikeTweet
from command_api.facts import Engagement, EngagementOf, Facts, OtherOf, Question, Relation
from events.entities import Entities
from events.first_copies import Entity
from events.ids import AccountId, Millis, TweetId, id_at
from events.log import LogReader, Record
from tests.contracts.embedded import Embedded
from tests.on_postgres import PostgresSystem

System = Embedded | PostgresSystem
"""The command side of either profile."""
Open = Callable[..., System]
"""Open a system."""

ALICE, BOB, CAROL = (AccountId(id_at(Millis(1), name)) for name in ("alice", "bob", "carol"))
NAMES = {ALICE: "alice", BOB: "bob", CAROL: "carol"}


class Say:
    """Return an answer with the decided events, or with the refusal."""

    def accepted(self, state: object, decided: Decided) -> Answer:
        return Answer(200, ",".join(type(item).__name__ for item in decided).encode(), (("x-decided", "yes"),))

    def refused(self, error: Refused) -> Answer:
        return Answer(409, f"{type(error).__name__}: {error}".encode())


SAY = Say()


def by(actor: AccountId | None, key: str | None = None, body: bytes = b"body", **fields: Any) -> Context:
    """The context of an actor's command, with an Idempotency-Key if one is given."""
    once = Idempotency(actor or "", key, body) if key is not None else None
    return Context(actor=actor, correlation="request", idempotency=once, **fields)


async def settle(system: System, *accounts: AccountId) -> None:
    """Register accounts."""
    for account in accounts or NAMES:
        command = ImportAccount(account, NAMES[account], NAMES[account].title())
        await system.store.execute(IMPORT_ACCOUNT, command, by(account), SAY)


def post(
    system: System,
    author: AccountId = ALICE,
    text: str = "a tweet",
    key: str | None = None,
    **fields: Any,
) -> tuple[TweetId, Coroutine[Any, Any, Outcome]]:
    """Return the id of a new tweet, and the call that posts it."""
    tweet = TweetId(system.ids.issue())
    command = PostTweet(author, tweet, text, Entities(), **fields)
    return tweet, system.store.execute(POST_TWEET, command, by(author, key), SAY)


async def posted(system: System, author: AccountId = ALICE, text: str = "a tweet", **fields: Any) -> TweetId:
    """Post a tweet; return its id."""
    tweet, posting = post(system, author, text, **fields)
    await posting
    return tweet


async def records(log: LogReader) -> list[Record]:
    """Return the whole log."""
    return await log.read({}, 1_000_000)


@dataclass(frozen=True)
class Noted(PrivateChange):
    """A private change for tests."""

    text: str


NOTES: dict[str, Any] = {
    "private": {Noted: ("INSERT INTO notes VALUES (?)", lambda note: (note.text,))},
    "tables": ("CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL UNIQUE)",),
}


def a_decision(
    decide: Callable[[Facts], Decided],
    entities: tuple[Entity, ...] = (("accounts", ALICE),),
    questions: tuple[Question[Any], ...] = (),
) -> Decision[object, Facts]:
    """A decision for tests. `decide` gets the facts."""
    return Decision(lambda c: entities, lambda c: questions, lambda c, facts: facts, lambda c, facts: decide(facts))


def notes(system: System) -> list[str]:
    return [text for (text,) in system.select("SELECT text FROM notes")]


async def engagement(system: System, account: AccountId, tweet: TweetId) -> Engagement:
    question = EngagementOf(account, tweet)
    return (await system.store.ask(question))[question]


async def relation(system: System, account: AccountId, other: AccountId) -> Relation:
    question = OtherOf(account, other)
    found = (await system.store.ask(question))[question]
    assert found is not None
    return found.relation


def like(
    system: System,
    tweet: TweetId,
    actor: AccountId = BOB,
    key: str | None = None,
    body: bytes = b"body",
) -> Coroutine[Any, Any, Outcome]:
    return system.store.execute(LIKE_TWEET, LikeTweet(actor, tweet), by(actor, key, body), SAY)


def unlike(
    system: System,
    tweet: TweetId,
    actor: AccountId = BOB,
    key: str | None = None,
    body: bytes = b"body",
) -> Coroutine[Any, Any, Outcome]:
    return system.store.execute(UNLIKE_TWEET, UnlikeTweet(actor, tweet), by(actor, key, body), SAY)


def follow(
    system: System,
    actor: AccountId = ALICE,
    other: AccountId = BOB,
    key: str | None = None,
    body: bytes = b"body",
) -> Coroutine[Any, Any, Outcome]:
    return system.store.execute(FOLLOW_ACCOUNT, FollowAccount(actor, other), by(actor, key, body), SAY)


def edit(system: System, tweet: TweetId, text: str, if_version: int | None = None) -> Coroutine[Any, Any, Outcome]:
    command = EditTweet(ALICE, tweet, text, Entities(), system.clock(), if_version)
    return system.store.execute(EDIT_TWEET, command, by(ALICE), SAY)
