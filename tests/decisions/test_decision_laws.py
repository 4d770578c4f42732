"""What holds for any sequence of commands, decided and folded for real: laws 3 and 6, the locks, and the counts."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import apsw
from hypothesis import given
from hypothesis import strategies as st

from command_api.deciding import Decision, Refused
from command_api.decision_state import DecisionState
from command_api.domain.block_account import BLOCK_ACCOUNT, BlockAccount
from command_api.domain.bookmark_tweet import BOOKMARK_TWEET, BookmarkTweet
from command_api.domain.change_profile import CHANGE_PROFILE, ChangeProfile
from command_api.domain.delete_tweet import DELETE_TWEET, DeleteTweet
from command_api.domain.edit_tweet import EDIT_TWEET, EditTweet
from command_api.domain.errors import TweetGone
from command_api.domain.follow_account import FOLLOW_ACCOUNT, FollowAccount
from command_api.domain.import_account import IMPORT_ACCOUNT, ImportAccount
from command_api.domain.import_follow import IMPORT_FOLLOW, ImportFollow
from command_api.domain.import_tweet import IMPORT_TWEET, ImportTweet
from command_api.domain.like_tweet import LIKE_TWEET, LikeTweet
from command_api.domain.mute_account import MUTE_ACCOUNT, MuteAccount
from command_api.domain.post_tweet import POST_TWEET, PostTweet
from command_api.domain.read_notification import READ_NOTIFICATION, ReadNotification
from command_api.domain.read_notifications import READ_NOTIFICATIONS, ReadNotifications
from command_api.domain.remove_bookmark import REMOVE_BOOKMARK, RemoveBookmark
from command_api.domain.retweet_tweet import RETWEET_TWEET, RetweetTweet
from command_api.domain.unblock_account import UNBLOCK_ACCOUNT, UnblockAccount
from command_api.domain.undo_retweet import UNDO_RETWEET, UndoRetweet
from command_api.domain.unfollow_account import UNFOLLOW_ACCOUNT, UnfollowAccount
from command_api.domain.unlike_tweet import UNLIKE_TWEET, UnlikeTweet
from command_api.domain.unmute_account import UNMUTE_ACCOUNT, UnmuteAccount
from command_api.facts import OtherOf
from command_api.sqlite.answers import SqliteAnswers
from command_api.sqlite.rebuild import decision_digest
from command_api.sqlite.rows import SqliteDecisionRows, create_state_tables
from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.entities import Entities, Mention
from events.event import BY_CLASS, Envelope, Event
from events.first_copies import Entity
from events.graph import AccountBlocked, AccountFollowed, AccountUnblocked, AccountUnfollowed
from events.ids import AccountId, ActivityId, EventId, Millis, NotificationId, TweetId, id_at
from events.personal import AccountMuted, AccountUnmuted, BookmarkRemoved, TweetBookmarked
from tests.decisions.given_when_then import ALICE, BOB, CAROL, NOW
from tests.examples import at_most

ACCOUNTS = {ALICE: "alice", BOB: "bob", CAROL: "carol"}
TWEETS = [TweetId(id_at(NOW, "tweet", name)) for name in ACCOUNTS.values()]
NOBODY = AccountId(id_at(NOW, "nobody"))
NEVER = TweetId(id_at(NOW, "never posted"))
Asked = tuple[Decision[Any, Any], Any]
"""A command of any kind and what decides it."""


class World:
    """The decision state of a small community, in memory."""

    def __init__(self) -> None:
        self.connection = apsw.Connection(":memory:")
        create_state_tables(self.connection)
        self.answers = SqliteAnswers(self.connection, b"key")
        self.fold = DecisionState(SqliteDecisionRows(self.connection), b"key")
        self.events: list[tuple[Event, EventId]] = []

    def populated(self) -> World:
        for account, name in ACCOUNTS.items():
            self.execute(IMPORT_ACCOUNT, ImportAccount(account, name, name.title()))
        first, second, third = TWEETS
        for author, tweet, reply_to, quote_of in (
            (ALICE, first, None, None),
            (BOB, second, first, None),
            (CAROL, third, second, first),
        ):
            self.execute(POST_TWEET, PostTweet(author, tweet, f"by {author}", Entities(), reply_to, quote_of))
        return self

    def decide(self, decision: Decision[Any, Any], command: object) -> list[Event]:
        facts = self.answers.answer(decision.questions(command))
        decided = decision.decide(command, decision.state(command, facts))
        events = [each for each in decided if isinstance(each, Event)]
        assert len(events) == len(decided), "none of these commands changes what is private"
        return events

    def execute(self, decision: Decision[Any, Any], command: object) -> list[Event]:
        decided = self.decide(decision, command)
        for event in decided:
            self.apply(event, EventId(id_at(Millis(NOW + len(self.events)), "event")))
        return decided

    def outcome(self, decision: Decision[Any, Any], command: object) -> list[Event] | type[Refused]:
        """What was appended, or the class of the refusal."""
        try:
            return self.execute(decision, command)
        except Refused as error:
            return type(error)

    def apply(self, event: Event, id_: EventId) -> None:
        self.events.append((event, id_))
        self.fold.handle(event, Envelope(id_, NOW))


def entity(event: Event) -> Entity:
    kind = BY_CLASS[type(event)]
    return kind.topic, kind.key(event)


accounts = st.sampled_from([*ACCOUNTS, NOBODY])
actors = st.sampled_from(list(ACCOUNTS))
tweets = st.sampled_from([*TWEETS, *TWEETS, NEVER])
texts = st.sampled_from(["one", "two", f"by {ALICE}"])
moments = st.integers(NOW, NOW + 40 * 60_000).map(Millis)
retweets = st.integers(0, 1000).map(lambda n: ActivityId(id_at(NOW, "retweet", str(n))))
notifications = st.integers(0, 5).map(lambda n: NotificationId(id_at(Millis(NOW - n), "notification")))
mentions = st.sampled_from([Entities(), Entities(mentions=(Mention("Bob", 0, 4), Mention("nobody", 5, 12)))])
ON_TWEET = [
    (LIKE_TWEET, LikeTweet), (UNLIKE_TWEET, UnlikeTweet), (UNDO_RETWEET, UndoRetweet),
    (BOOKMARK_TWEET, BookmarkTweet), (REMOVE_BOOKMARK, RemoveBookmark), (DELETE_TWEET, DeleteTweet),
]  # fmt: skip
ON_ACCOUNT = [
    (FOLLOW_ACCOUNT, FollowAccount), (UNFOLLOW_ACCOUNT, UnfollowAccount), (BLOCK_ACCOUNT, BlockAccount),
    (UNBLOCK_ACCOUNT, UnblockAccount), (MUTE_ACCOUNT, MuteAccount), (UNMUTE_ACCOUNT, UnmuteAccount),
    (IMPORT_FOLLOW, ImportFollow),
]  # fmt: skip


@st.composite
def episodes(draw: st.DrawFn) -> list[Asked]:
    """A few commands of one account about one thing: so that what is done is also done again and taken back."""
    actor = draw(actors)
    kind = draw(st.sampled_from([0, 0, 0, 1, 1, 1, 2, 3, 4]))
    if kind == 0:
        tweet = draw(tweets)
        choices = [(decision, command(actor, tweet)) for decision, command in ON_TWEET]
        choices.append((RETWEET_TWEET, RetweetTweet(actor, tweet, draw(retweets))))
        choices.append((EDIT_TWEET, EditTweet(actor, tweet, draw(texts), draw(mentions), draw(moments))))
    elif kind == 1:
        other = draw(accounts)
        choices = [(decision, command(actor, other)) for decision, command in ON_ACCOUNT]
    elif kind == 2:
        read = draw(notifications)
        choices = [
            (READ_NOTIFICATION, ReadNotification(actor, read, NOW)),
            (READ_NOTIFICATIONS, ReadNotifications(actor, read, NOW)),
        ]
    elif kind == 3:
        choices = [(CHANGE_PROFILE, ChangeProfile(actor, draw(texts), bio)) for bio in ("one", "two")]
    else:
        author = draw(accounts)
        choices = [
            (IMPORT_ACCOUNT, ImportAccount(author, draw(st.sampled_from(["Alice", "dora"])), "D")),
            (IMPORT_TWEET, ImportTweet(author, draw(st.sampled_from("123")), NOW, draw(texts), draw(mentions))),
        ]
    return draw(st.lists(st.sampled_from(choices), min_size=1, max_size=4))


commands = episodes().map(lambda episode: episode[0])
histories = st.lists(episodes(), max_size=15).map(lambda parts: [command for part in parts for command in part])


def lived(history: list[Asked]) -> World:
    world = World().populated()
    for decision, command in history:
        world.outcome(decision, command)
    return world


@given(histories, commands)
def test_the_same_command_twice_appends_nothing(history: list[Asked], last: Asked) -> None:
    world = lived(history)
    first, second = world.outcome(*last), world.outcome(*last)
    if isinstance(first, type):
        assert second is first
    elif last[0] is DELETE_TWEET:
        assert second is TweetGone
    else:
        assert second == []


@given(histories)
def test_every_event_is_of_an_entity_that_its_command_locks(history: list[Asked]) -> None:
    world = World().populated()
    for decision, command in history:
        decided = world.outcome(decision, command)
        if not isinstance(decided, type):
            assert {entity(event) for event in decided} <= set(decision.entities(command))


@given(histories)
def test_nobody_follows_past_a_block(history: list[Asked]) -> None:
    world = lived(history)
    for one in ACCOUNTS:
        for other in ACCOUNTS:
            question = OtherOf(one, other)
            found = world.answers.answer((question,))[question]
            assert found is not None
            relation = found.relation
            assert not (relation.following and (relation.blocking or relation.blocked_by))


@given(histories)
def test_counting_events_counts_what_there_is(history: list[Asked]) -> None:
    """So that counters may add one for each event, and subtract one for each that takes back."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for event, _ in lived(history).events:
        match event:
            case TweetLiked(actor=a, tweet=t):
                counts["like", a, t] += 1
            case TweetUnliked(actor=a, tweet=t):
                counts["like", a, t] -= 1
            case TweetRetweeted(actor=a, tweet=t):
                counts["retweet", a, t] += 1
            case RetweetUndone(actor=a, tweet=t):
                counts["retweet", a, t] -= 1
            case TweetBookmarked(owner=a, tweet=t):
                counts["bookmark", a, t] += 1
            case BookmarkRemoved(owner=a, tweet=t):
                counts["bookmark", a, t] -= 1
            case AccountFollowed(follower=a, followee=b):
                counts["follow", a, b] += 1
            case AccountUnfollowed(follower=a, followee=b):
                counts["follow", a, b] -= 1
            case AccountBlocked(blocker=a, blocked=b):
                counts["block", a, b] += 1
            case AccountUnblocked(blocker=a, blocked=b):
                counts["block", a, b] -= 1
            case AccountMuted(owner=a, muted=b):
                counts["mute", a, b] += 1
            case AccountUnmuted(owner=a, muted=b):
                counts["mute", a, b] -= 1
        assert set(counts.values()) <= {0, 1}


@at_most(50)
@given(histories, st.randoms(use_true_random=False))
def test_the_order_across_entities_does_not_matter(history: list[Asked], chance: random.Random) -> None:
    world = lived(history)
    queues: dict[Entity, list[tuple[Event, EventId]]] = {}
    for event, id_ in world.events:
        queues.setdefault(entity(event), []).append((event, id_))
    another = World()
    while queues:
        chosen = chance.choice(sorted(queues))
        another.apply(*queues[chosen].pop(0))
        if not queues[chosen]:
            del queues[chosen]
    assert decision_digest(another.connection) == decision_digest(world.connection)
