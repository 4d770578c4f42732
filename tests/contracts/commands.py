"""Short ways to execute commands in tests: `say` writes answers that name what was decided."""

from command_api.deciding import Answer, Context, Idempotency
from command_api.domain.import_account import IMPORT_ACCOUNT, ImportAccount
from command_api.domain.post_tweet import POST_TWEET, PostTweet
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
