"""Laws 2 and 4 for the decision state: it equals the fold of the log, with copies and redeliveries."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

import apsw
import pytest

from command_api.deciding import Decision, Refused
from command_api.decision_state import fingerprint
from command_api.domain.add_media import ADD_MEDIA, AddMedia
from command_api.domain.block_account import BLOCK_ACCOUNT, BlockAccount
from command_api.domain.bookmark_tweet import BOOKMARK_TWEET, BookmarkTweet
from command_api.domain.change_profile import CHANGE_PROFILE, ChangeProfile
from command_api.domain.change_role import CHANGE_ROLE, ChangeRole
from command_api.domain.delete_media import DELETE_MEDIA, DeleteMedia
from command_api.domain.delete_tweet import DELETE_TWEET, DeleteTweet
from command_api.domain.edit_tweet import EDIT_TWEET, EditTweet
from command_api.domain.finish_upload import FINISH_UPLOAD, FinishUpload
from command_api.domain.follow_account import FOLLOW_ACCOUNT, FollowAccount
from command_api.domain.like_tweet import LIKE_TWEET, LikeTweet
from command_api.domain.mute_account import MUTE_ACCOUNT, MuteAccount
from command_api.domain.read_notification import READ_NOTIFICATION, ReadNotification
from command_api.domain.read_notifications import READ_NOTIFICATIONS, ReadNotifications
from command_api.domain.remove_bookmark import REMOVE_BOOKMARK, RemoveBookmark
from command_api.domain.retweet_tweet import RETWEET_TWEET, RetweetTweet
from command_api.domain.start_upload import START_UPLOAD, StartUpload
from command_api.domain.unblock_account import UNBLOCK_ACCOUNT, UnblockAccount
from command_api.domain.undo_retweet import UNDO_RETWEET, UndoRetweet
from command_api.domain.unfollow_account import UNFOLLOW_ACCOUNT, UnfollowAccount
from command_api.domain.unlike_tweet import UNLIKE_TWEET, UnlikeTweet
from command_api.domain.unmute_account import UNMUTE_ACCOUNT, UnmuteAccount
from command_api.facts import Facts, StoredFile, TweetFor
from command_api.sqlite.rebuild import decision_digest, rebuild_decision_state
from events.accounts import ROLES, AccountRegistered
from events.entities import Entities
from events.event import Event
from events.ids import AccountId, ActivityId, MediaId, Millis, NotificationId, SessionId, TweetId, id_at
from events.log import CorruptLog, New, Positions, Record, RecordReader, TopicPartition
from events.personal import SessionEnded, SessionStarted
from tests.contracts.commands import ALICE, BOB, CAROL, SAY, Open, System, by, edit, post, posted, settle
from tests.contracts.embedded import EMAIL_KEY

ACCOUNTS = (ALICE, BOB, CAROL)
DAVE = AccountId(id_at(Millis(1), "dave"))


def saying(entity: tuple[str, str], *events: Event) -> Decision[object, Facts]:
    """Return a decision that appends these events."""
    return Decision(lambda c: (entity,), lambda c: (), lambda c, facts: facts, lambda c, facts: events)


async def said(system: System, entity: tuple[str, str], *events: Event) -> None:
    await system.store.execute(saying(entity, *events), None, by(AccountId(entity[1])), SAY)


async def live(system: System, seed: int, copies: bool = True) -> None:
    """Execute commands of all kinds in a random order from `seed`. Sometimes append copies to the log."""
    chance = random.Random(seed)
    await settle(system)
    dave = AccountRegistered(account=DAVE, username="Dave", display_name="Dave", email="Dave@Example.org")
    await said(system, ("accounts", DAVE), dave)
    await said(system, ("personal", DAVE), SessionStarted(owner=DAVE, session=SessionId(id_at(Millis(1), "session"))))
    tweets: list[TweetId] = []
    media: list[MediaId] = []
    for n in range(150):
        actor, other = chance.sample(ACCOUNTS, 2)
        if n % 10 == 0:
            reply_to = chance.choice([None, *tweets])
            tweet, posting = post(system, actor, f"tweet {n}", reply_to=reply_to)
            try:
                await posting
                tweets.append(tweet)
            except Refused:
                pass
            session = SessionId(id_at(Millis(n), "session"))
            await said(system, ("personal", actor), SessionStarted(owner=actor, session=session))
            if chance.random() < 0.5:
                await said(system, ("personal", actor), SessionEnded(owner=actor, session=session, reason="logout"))
        tweet = chance.choice(tweets)
        media.append(MediaId(system.ids.issue()))
        one = chance.choice(media[-4:])
        stored = StoredFile("image/png", f"finished/{n}.png", 100 + n, 40, 20)
        notification = NotificationId(id_at(Millis(system.clock() - chance.randrange(1, 6)), "notification"))
        choices: list[tuple[Decision[Any, Any], Any]] = [
            (LIKE_TWEET, LikeTweet(actor, tweet)), (UNLIKE_TWEET, UnlikeTweet(actor, tweet)),
            (RETWEET_TWEET, RetweetTweet(actor, tweet, ActivityId(system.ids.issue()))),
            (UNDO_RETWEET, UndoRetweet(actor, tweet)),
            (BOOKMARK_TWEET, BookmarkTweet(actor, tweet)), (REMOVE_BOOKMARK, RemoveBookmark(actor, tweet)),
            (FOLLOW_ACCOUNT, FollowAccount(actor, other)), (UNFOLLOW_ACCOUNT, UnfollowAccount(actor, other)),
            (BLOCK_ACCOUNT, BlockAccount(actor, other)), (UNBLOCK_ACCOUNT, UnblockAccount(actor, other)),
            (MUTE_ACCOUNT, MuteAccount(actor, other)), (UNMUTE_ACCOUNT, UnmuteAccount(actor, other)),
            (EDIT_TWEET, EditTweet(actor, tweet, f"edit {n}", Entities(), system.clock())),
            (CHANGE_PROFILE, ChangeProfile(actor, bio=f"bio {n}")),
            (CHANGE_ROLE, ChangeRole(actor, chance.choice(ROLES))),
            (ADD_MEDIA, AddMedia(actor, media[-1], stored, f"alt {n}")),
            (START_UPLOAD, StartUpload(actor, media[-1], "image/png", f"alt {n}")),
            (FINISH_UPLOAD, FinishUpload(actor, one, stored)), (DELETE_MEDIA, DeleteMedia(actor, one)),
            (READ_NOTIFICATION, ReadNotification(actor, notification, system.clock())),
            (READ_NOTIFICATIONS, ReadNotifications(actor, notification, system.clock())),
            *([(DELETE_TWEET, DeleteTweet(actor, tweet))] if n > 100 else []),
        ]  # fmt: skip
        decision, command = chance.choice(choices)
        try:
            await system.store.execute(decision, command, by(actor), SAY)
        except Refused:
            continue
        if copies and chance.random() < 0.3:
            record = chance.choice(await system.log.read({}, 10_000))
            assert record.event is not None
            await system.log.append([New(record.event, record.about)])
    await system.store.execute(
        CHANGE_ROLE, ChangeRole(ALICE, "analyst"), by(ALICE), SAY
    )  # something of each kind stays
    for account in (BOB, CAROL):
        for who, whom in ((account, ALICE), (ALICE, account)):
            await system.store.execute(UNBLOCK_ACCOUNT, UnblockAccount(who, whom), by(who), SAY)
            await system.store.execute(UNFOLLOW_ACCOUNT, UnfollowAccount(who, whom), by(who), SAY)
    shown = MediaId(system.ids.issue())
    await system.store.execute(ADD_MEDIA, AddMedia(ALICE, shown, stored, "the last picture"), by(ALICE), SAY)
    tweet, posting = post(system, ALICE, "the last tweet", media=(shown,))
    await posting
    last: list[tuple[Decision[Any, Any], Any]] = [
        (FOLLOW_ACCOUNT, FollowAccount(BOB, ALICE)), (UNFOLLOW_ACCOUNT, UnfollowAccount(BOB, ALICE)),
        (FOLLOW_ACCOUNT, FollowAccount(BOB, ALICE)), (BLOCK_ACCOUNT, BlockAccount(ALICE, CAROL)),
        (MUTE_ACCOUNT, MuteAccount(BOB, CAROL)), (LIKE_TWEET, LikeTweet(BOB, tweet)),
        (RETWEET_TWEET, RetweetTweet(BOB, tweet, ActivityId(system.ids.issue()))),
        (BOOKMARK_TWEET, BookmarkTweet(BOB, tweet)),
        (READ_NOTIFICATIONS, ReadNotifications(BOB, NotificationId(system.ids.issue()), system.clock())),
        (READ_NOTIFICATION, ReadNotification(BOB, NotificationId(system.ids.issue()), system.clock())),
    ]  # fmt: skip
    for decision, command in last:
        await system.store.execute(decision, command, by(command.actor), SAY)


async def test_the_text_of_a_deleted_tweet_cannot_be_guessed_from_the_decision_state(system: System) -> None:
    await settle(system)
    tweet = await posted(system)
    question = TweetFor(tweet, BOB)
    await edit(system, tweet, "another text")
    edited = (await system.store.ask(question))[question]
    assert edited is not None
    assert edited.fingerprint == fingerprint("another text")
    await system.store.execute(DELETE_TWEET, DeleteTweet(ALICE, tweet), by(ALICE), SAY)
    found = (await system.store.ask(question))[question]
    assert found is not None
    assert (found.deleted, found.fingerprint) == (True, b"")


async def rebuilt(log: RecordReader, until: Positions, limit: int = 5000) -> tuple[dict[str, tuple[int, str]], int]:
    connection = apsw.Connection(":memory:")
    events = await rebuild_decision_state(log, connection, EMAIL_KEY, until, limit=limit)
    return decision_digest(connection), events


class Redelivering:
    """A log reader that delivers the end of each batch again with the next one."""

    def __init__(self, log: RecordReader) -> None:
        self.log = log
        self.last: list[Record] = []

    async def read(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[Record]:
        records = await self.log.read(after, limit, topics)
        again, self.last = self.last, records[-limit // 2 :]
        return again + records

    async def ends(self) -> Positions:
        return await self.log.ends()


@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.parametrize("seed", range(3))
async def test_the_decision_state_equals_the_fold_of_the_log(make: Open, partitions: int, seed: int) -> None:
    system = make(partitions=partitions)
    await live(system, seed)
    snapshot = system.snapshot()
    assert [table for table, (rows, _) in snapshot.digest.items() if not rows] == [], "the history leaves tables empty"
    for limit in (3, 5000):
        digest, _ = await rebuilt(system.elsewhere(), snapshot.positions, limit)
        assert digest == snapshot.digest
    digest, _ = await rebuilt(Redelivering(system.log), snapshot.positions, 10)
    assert digest == snapshot.digest


async def test_copies_are_folded_once(make: Open) -> None:
    with_copies, without = make("with"), make("without")
    await live(with_copies, 1)
    await live(without, 1, copies=False)
    assert with_copies.snapshot().positions != without.snapshot().positions
    end = with_copies.snapshot().positions
    digest, events = await rebuilt(with_copies.log, end)
    assert digest == with_copies.snapshot().digest
    first_copies = {record.about.id for record in await with_copies.log.read({}, 10_000)}
    assert events == len(first_copies) < sum(end.values())


async def test_a_rebuild_ends_at_the_positions_of_the_snapshot(
    system: System,
) -> None:
    await live(system, 2)
    snapshot = system.snapshot()
    await system.store.execute(CHANGE_PROFILE, ChangeProfile(CAROL, bio="written later"), by(CAROL), SAY)
    for limit in (7, 5000):
        digest, _ = await rebuilt(system.log, snapshot.positions, limit)
        assert digest == snapshot.digest
    assert system.snapshot().digest != snapshot.digest


async def test_a_row_that_no_event_explains_is_reported(system: System) -> None:
    await live(system, 2)
    await system.tamper("UPDATE decision_accounts SET version=9 WHERE folded='bob'")
    snapshot = system.snapshot()
    digest, _ = await rebuilt(system.log, snapshot.positions)
    assert [table for table in digest if digest[table] != snapshot.digest[table]] == ["decision_accounts"]


async def test_a_log_that_ends_before_the_positions_is_refused(system: System) -> None:
    await live(system, 2)
    beyond = system.snapshot().positions.merged(Positions({TopicPartition("graph", 0): 10_000}))
    with pytest.raises(CorruptLog, match="graph-0:10000"):
        await rebuilt(system.log, beyond)
