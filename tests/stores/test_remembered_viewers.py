"""Hidden authors and a viewer's own marks from cached rows equal the answers of the stores."""

from collections.abc import Collection
from random import Random

from events.ids import AccountId, TweetId
from stores.cached.remembered import Remembered
from stores.cached.viewers import RememberedBarriers, RememberedMarks, mark_of, weight_of_barriers
from stores.engagement import NO_MARKS, Marks
from stores.graph import Barriers, Unseen

PEOPLE = [AccountId(f"account-{n}") for n in range(12)]
TWEETS = [TweetId(f"tweet-{n}") for n in range(12)]


class Kept:
    """Stores of barriers and marks that count their reads."""

    def __init__(self, most: int = 1_000) -> None:
        self.most = most
        self.blocks: set[tuple[AccountId, AccountId]] = set()
        self.mutes: set[tuple[AccountId, AccountId]] = set()
        self.done: dict[tuple[AccountId, TweetId], Marks] = {}
        self.asked: list[list[str]] = []

    async def barriers(self, accounts: Collection[AccountId]) -> dict[AccountId, Barriers]:
        self.asked.append(sorted(accounts))
        found = {
            account: Barriers(
                frozenset(b for a, b in self.blocks if a == account),
                frozenset(b for a, b in self.mutes if a == account),
            )
            for account in accounts
        }
        return {account: row for account, row in found.items() if len(row.blocked) + len(row.muted) <= self.most}

    async def unseen(self, viewer: AccountId, others: Collection[AccountId]) -> Unseen:
        return Unseen(
            frozenset(o for o in others if (viewer, o) in self.blocks or (o, viewer) in self.blocks),
            frozenset(o for o in others if (viewer, o) in self.mutes),
        )

    async def marks(self, account: AccountId, tweets: Collection[TweetId]) -> dict[TweetId, Marks]:
        self.asked.append(sorted(tweets))
        return {tweet: self.done[account, tweet] for tweet in tweets if (account, tweet) in self.done}


async def test_blocked_and_muted_accounts_are_hidden_as_in_the_graph() -> None:
    chance = Random(7)
    kept = Kept(most=4)  # some have more than are kept
    rows: Remembered[AccountId, Barriers] = Remembered(1_000, weight_of_barriers)
    remembered = RememberedBarriers(rows, kept)
    for _ in range(300):
        viewer, *others = chance.sample(PEOPLE, 5)
        assert await remembered.unseen(viewer, others) == await kept.unseen(viewer, others)
        barriers = chance.choice((kept.blocks, kept.mutes))
        pair = (viewer, others[0])
        if pair in barriers:
            barriers.discard(pair)
        else:
            barriers.add(pair)
        rows.forget([viewer])


async def test_viewers_share_the_cached_rows_of_authors() -> None:
    kept = Kept()
    remembered = RememberedBarriers(Remembered(1_000, weight_of_barriers), kept)
    await remembered.unseen(PEOPLE[0], PEOPLE[5:8])
    await remembered.unseen(PEOPLE[1], PEOPLE[5:9])
    assert kept.asked == [[PEOPLE[0], *PEOPLE[5:8]], [PEOPLE[1], PEOPLE[8]]]


async def test_a_viewers_marks_are_read_once_even_if_there_are_none() -> None:
    kept = Kept()
    kept.done[PEOPLE[0], TWEETS[1]] = Marks(liked=True)
    rows: Remembered[str, Marks] = Remembered(100)
    remembered = RememberedMarks(rows, kept)
    for _ in range(2):
        assert await remembered.marks(PEOPLE[0], TWEETS[:2]) == {TWEETS[0]: NO_MARKS, TWEETS[1]: Marks(liked=True)}
    assert await remembered.marks(PEOPLE[1], TWEETS[:2]) == {TWEETS[0]: NO_MARKS, TWEETS[1]: NO_MARKS}
    kept.done[PEOPLE[0], TWEETS[0]] = Marks(bookmarked=True)
    rows.forget([mark_of(PEOPLE[0], TWEETS[0])])
    assert (await remembered.marks(PEOPLE[0], TWEETS[:2]))[TWEETS[0]] == Marks(bookmarked=True)
    assert kept.asked == [TWEETS[:2], TWEETS[:2], TWEETS[:1]]
