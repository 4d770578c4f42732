"""Short ways to execute commands in tests: `say` writes answers that name what was decided."""

from dataclasses import dataclass

from command_api.deciding import Answer, Context, Decision, Idempotency, PrivateChange
from command_api.domain.edit_tweet import EDIT_TWEET, EditTweet
from command_api.domain.follow_account import FOLLOW_ACCOUNT, FollowAccount
from command_api.domain.import_account import IMPORT_ACCOUNT, ImportAccount
from command_api.domain.like_tweet import LIKE_TWEET, LikeTweet
from command_api.domain.post_tweet import POST_TWEET, PostTweet
from command_api.domain.unlike_tweet import UNLIKE_TWEET, UnlikeTweet
from command_api.facts import EngagementOf, OtherOf
from events.entities import Entities
from events.ids import AccountId, Millis, TweetId, id_at

ALICE, BOB, CAROL = (AccountId(id_at(Millis(1), name)) for name in ("alice", "bob", "carol"))
NAMES = {ALICE: "alice", BOB: "bob", CAROL: "carol"}


class Say:
    """Answers with what was decided, or why not."""

    def accepted(self, state, decided):
        return Answer(200, ",".join(type(item).__name__ for item in decided).encode(), (("x-decided", "yes"),))

    def refused(self, error):
        return Answer(409, f"{type(error).__name__}: {error}".encode())


SAY = Say()


def by(actor, key=None, body=b"body", **fields):
    """The context of an actor's command, with an Idempotency-Key if one is given."""
    once = Idempotency(actor, key, body) if key is not None else None
    return Context(actor=actor, correlation="request", idempotency=once, **fields)


async def settle(system, *accounts):
    """Have accounts in the system."""
    for account in accounts or NAMES:
        command = ImportAccount(account, NAMES[account], NAMES[account].title())
        await system.store.execute(IMPORT_ACCOUNT, command, by(account), SAY)


def post(system, author=ALICE, text="a tweet", key=None, **fields):
    """Post a tweet: the id, and the call that posts it."""
    tweet = TweetId(system.ids.issue())
    command = PostTweet(author, tweet, text, Entities(), **fields)
    return tweet, system.store.execute(POST_TWEET, command, by(author, key), SAY)


async def posted(system, author=ALICE, text="a tweet", **fields):
    """Post a tweet; its id."""
    tweet, posting = post(system, author, text, **fields)
    await posting
    return tweet


async def records(log):
    """The whole log."""
    return await log.read({}, 1_000_000)


@dataclass(frozen=True)
class Noted(PrivateChange):
    """A private change of this test."""

    text: str


NOTES = {
    "private": {Noted: ("INSERT INTO notes VALUES (?)", lambda note: (note.text,))},
    "tables": ("CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL UNIQUE)",),
}


def a_decision(decide, entities=(("accounts", ALICE),), questions=()):
    """A decision of this test: `decide` gets the facts."""
    return Decision(lambda c: entities, lambda c: questions, lambda c, facts: facts, lambda c, facts: decide(facts))


def notes(system):
    return [text for (text,) in system.select("SELECT text FROM notes")]


async def engagement(system, account, tweet):
    question = EngagementOf(account, tweet)
    return (await system.store.ask(question))[question]


async def relation(system, account, other):
    question = OtherOf(account, other)
    return (await system.store.ask(question))[question].relation


def like(system, tweet, actor=BOB, key=None, body=b"body"):
    return system.store.execute(LIKE_TWEET, LikeTweet(actor, tweet), by(actor, key, body), SAY)


def unlike(system, tweet, actor=BOB, key=None, body=b"body"):
    return system.store.execute(UNLIKE_TWEET, UnlikeTweet(actor, tweet), by(actor, key, body), SAY)


def follow(system, actor=ALICE, other=BOB, key=None, body=b"body"):
    return system.store.execute(FOLLOW_ACCOUNT, FollowAccount(actor, other), by(actor, key, body), SAY)


def edit(system, tweet, text, if_version=None):
    command = EditTweet(ALICE, tweet, text, Entities(), system.clock(), if_version)
    return system.store.execute(EDIT_TWEET, command, by(ALICE), SAY)
