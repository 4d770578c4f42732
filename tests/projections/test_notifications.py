"""Notifications: their recipients, the items that are shown, and the number of unread items."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.graph import AccountFollowed, AccountUnfollowed
from events.ids import Millis, NotificationId, TweetId, first_id_at, millis
from events.notifications import NotificationRaised, NotificationWithdrawn
from events.personal import NotificationRead, NotificationsRead
from projectors.notifications import Notifications as NotificationsModel
from query_api.notifications import MOST_COUNTED, shown, unread_count
from stores.notifications import KINDS
from streams.notifications import HISTORY_MS
from tests.community import Community
from tests.examples import at_most
from tests.histories import batched, histories, interleaved
from tests.projections.notified import Model, Told, as_seen, pages
from tests.projections.projected import Projected, projected


@at_most(60)
@given(histories(most=100), st.integers(1, 4), st.sampled_from(KINDS), st.randoms(use_true_random=False))
def test_what_is_shown_and_counted_is_what_a_model_says_in_any_interleaving(
    community: Community, limit: int, kind: str, chance: random.Random
) -> None:
    model = Model()
    for record in community.records:
        model.fold(record)
    for (_, _, _, recipient), id_ in sorted(model.rows.items()):
        if chance.random() < 0.3:
            community.tell(NotificationRead(owner=recipient, notification=id_), recipient)
            model.fold(community.records[-1])
    models = projected(batched(interleaved(community.records, chance), chance))

    async def check() -> None:
        for viewer in community.accounts:
            expected = model.shown_to(viewer, community)
            found = await pages(models, viewer, limit)
            assert [item for page in found for item in page] == expected
            assert all(len(page) <= limit for page in found)
            assert await unread_count(models.readers, viewer) == sum(not read for *_, read in expected)
            of_kind = await pages(models, viewer, limit, (kind,))
            assert [item for page in of_kind for item in page] == model.shown_to(viewer, community, (kind,))

    asyncio.run(check())
    models.close()


@pytest.fixture
def told() -> Iterator[Told]:
    made = Told()
    yield made
    made.close()


def test_a_reply_that_mentions_and_quotes_its_recipient_as_well_is_told_once_as_a_reply(told: Told) -> None:
    tweet = told.post(told.ada)
    told.post(told.bob, "@user0 @user0 look", reply_to=tweet, quote_of=tweet)

    assert told.kinds(told.ada) == ["reply"]


def test_a_quote_that_mentions_its_recipient_is_told_once_as_a_quote(told: Told) -> None:
    told.post(told.bob, "@user0 look", quote_of=told.post(told.ada))

    assert told.kinds(told.ada) == ["quote"]


def test_each_of_those_a_tweet_answers_quotes_and_mentions_is_told(told: Told) -> None:
    replied, quoted = told.post(told.ada), told.post(told.bob)
    told.post(told.cyd, "@user0 @user1 @user3 @user2 @nobody", reply_to=replied, quote_of=quoted)

    assert [told.kinds(viewer) for viewer in (told.ada, told.bob, told.cyd, told.dan)] == [
        ["reply"],
        ["quote"],
        [],
        ["mention"],
    ]


def test_nobody_is_told_of_what_they_did_themselves(told: Told) -> None:
    tweet = told.post(told.ada, "@user0 me")
    told.post(told.ada, reply_to=tweet, quote_of=tweet)
    told.like(told.ada, tweet)
    told.community.retweet(told.ada, tweet)

    assert told.items(told.ada) == []


def test_an_imported_tweet_tells_nobody(told: Told) -> None:
    for n in range(8):
        told.community.import_tweet(told.bob, n)

    assert [told.kinds(viewer) for viewer in told.community.accounts] == [[]] * 4


def test_what_was_recorded_long_after_it_happened_tells_nobody_and_can_be_taken_back(told: Told) -> None:
    now = told.community.now
    for followee, age in ((told.ada, HISTORY_MS + 1), (told.bob, HISTORY_MS - 1)):
        event = AccountFollowed(follower=told.cyd, followee=followee)
        told.community.tell(event, told.cyd, Millis(now - age))
    assert told.kinds(told.ada) == []
    assert told.kinds(told.bob) == ["follow"]

    told.community.tell(AccountUnfollowed(follower=told.cyd, followee=told.ada), told.cyd)
    told.community.tell(AccountUnfollowed(follower=told.cyd, followee=told.bob), told.cyd)
    assert told.kinds(told.ada) == told.kinds(told.bob) == []


def test_an_edit_tells_whom_it_mentions_now_and_takes_back_what_it_mentions_no_more(told: Told) -> None:
    tweet = told.post(told.ada, "@user1 @user2")
    told.edit(tweet, "@user2 @user3")

    assert [told.kinds(viewer) for viewer in (told.bob, told.cyd, told.dan)] == [[], ["mention"], ["mention"]]


def test_an_edit_does_not_turn_a_reply_into_a_mention_nor_take_it_back(told: Told) -> None:
    tweet = told.post(told.bob, "thanks", reply_to=told.post(told.ada))
    told.edit(tweet, "thanks @user0")
    told.edit(tweet, "thanks")

    assert told.kinds(told.ada) == ["reply"]


def test_deleting_a_tweet_takes_back_all_that_it_told(told: Told) -> None:
    replied, quoted = told.post(told.ada), told.post(told.bob)
    told.community.delete(told.post(told.cyd, "@user3", reply_to=replied, quote_of=quoted))

    assert [told.kinds(viewer) for viewer in (told.ada, told.bob, told.dan)] == [[], [], []]


def test_likes_of_a_tweet_that_is_deleted_are_not_shown_and_not_counted(told: Told) -> None:
    tweet = told.post(told.ada)
    told.like(told.bob, tweet)
    assert told.unread(told.ada) == 1

    told.community.delete(tweet)
    assert told.items(told.ada) == []
    assert told.unread(told.ada) == 0


def test_a_like_given_taken_back_and_given_again_is_there_once_and_as_new(told: Told) -> None:
    tweet = told.post(told.ada)
    told.like(told.bob, tweet)
    first = told.items(told.ada)[0][0]
    told.community.unlike(told.bob, tweet)
    assert told.items(told.ada) == []

    told.like(told.bob, tweet)
    ((second, kind, *_, count, read),) = told.items(told.ada)
    assert (kind, count, read) == ("like", 1, False)
    assert second > first
    assert millis(second) == told.community.now


def test_likes_of_a_tweet_are_one_item_with_the_newest_first_and_retweets_another(told: Told) -> None:
    tweet, other = told.post(told.ada), told.post(told.ada)
    for actor in (told.bob, told.cyd, told.dan):
        told.like(actor, tweet)
    told.later()
    told.community.retweet(told.bob, tweet)
    told.like(told.bob, other)

    assert [item[1:5] for item in told.items(told.ada)] == [
        ("like", other, (told.bob,), 1),
        ("retweet", tweet, (told.bob,), 1),
        ("like", tweet, (told.dan, told.cyd, told.bob), 3),
    ]
    assert told.unread(told.ada) == 3


def test_an_item_is_read_when_its_newest_notification_is(told: Told) -> None:
    tweet = told.post(told.ada)
    told.like(told.bob, tweet)
    told.like(told.cyd, tweet)
    newest = NotificationId(told.items(told.ada)[0][0])
    told.community.tell(NotificationRead(owner=told.ada, notification=newest), told.ada)
    assert told.items(told.ada)[0][5]
    assert told.unread(told.ada) == 0

    told.like(told.dan, tweet)
    assert told.unread(told.ada) == 1


def test_a_mark_made_before_the_notification_came_out_of_the_log_counts(told: Told) -> None:
    """Marks and notifications belong to different entities: both orders of applying them have the same result."""
    told.like(told.bob, told.post(told.ada))
    newest = NotificationId(told.items(told.ada)[0][0])
    for mark in (
        NotificationRead(owner=told.ada, notification=newest),
        NotificationsRead(owner=told.ada, up_to=newest),
    ):
        told.community.tell(mark, told.ada)
        records = told.community.records
        models = projected([[records[-1]], records[:-1]])
        assert asyncio.run(unread_count(models.readers, told.ada)) == 0
        models.close()
        records.pop()


def test_what_blocked_and_muted_people_did_is_neither_shown_nor_counted_and_comes_back(told: Told) -> None:
    tweet = told.post(told.ada)
    for actor in (told.bob, told.cyd, told.dan):
        told.like(actor, tweet)
    told.community.block(told.dan, told.ada)
    told.community.mute(told.ada, told.cyd)
    assert [item[3:5] for item in told.items(told.ada)] == [((told.bob,), 1)]

    told.community.block(told.ada, told.bob)
    assert told.items(told.ada) == []
    assert told.unread(told.ada) == 0

    told.community.unblock(told.ada, told.bob)
    told.community.unblock(told.dan, told.ada)
    told.community.unmute(told.ada, told.cyd)
    assert told.items(told.ada)[0][4] == 3


def test_an_item_stays_on_its_page_when_another_like_comes_in_meanwhile(told: Told) -> None:
    tweets = [told.post(told.ada) for _ in range(4)]
    for tweet in tweets:
        told.like(told.bob, tweet)

    models = told.models()
    first = asyncio.run(shown(models.readers, told.ada, KINDS, None, 2))
    before = len(told.community.records)
    told.like(told.cyd, tweets[0])
    told.like(told.cyd, tweets[3])
    asyncio.run(models.apply(told.community.records[before:]))
    second = asyncio.run(shown(models.readers, told.ada, KINDS, first.next, 2))
    anew = asyncio.run(shown(models.readers, told.ada, KINDS, None, 9))

    assert [as_seen(item)[2:5] for item in (*first.items, *second.items)] == [
        (tweet, (told.bob,), 1) for tweet in reversed(tweets)
    ]
    assert [as_seen(item)[2] for item in anew.items] == [tweets[3], tweets[0], tweets[2], tweets[1]]


def test_the_unread_count_stops_at_99_and_a_group_counts_as_one() -> None:
    models = Projected()
    community = Community()
    ada, bob = community.register(), community.register()
    raised = []
    for n in range(MOST_COUNTED + 20):
        id_ = NotificationId(first_id_at(Millis(1_750_000_000_000 + n)))
        raised.append((ada, id_, "follow", bob, None))

    async def check() -> None:
        await models.apply(community.records)
        projector = next(p for g in models.groups for p in g.projectors if isinstance(p, NotificationsModel))
        for row in raised:
            projector.rows.raised(*row)
        assert await unread_count(models.readers, ada) == MOST_COUNTED
        projector.rows.read_up_to(ada, raised[-11][1])
        assert await unread_count(models.readers, ada) == 10
        projector.rows.read(ada, raised[-1][1])
        projector.rows.read(ada, raised[-1][1])
        assert await unread_count(models.readers, ada) == 9

    asyncio.run(check())
    models.close()


def test_every_raised_notification_can_be_withdrawn_by_its_id() -> None:
    """The read model finds a notification by recipient and id, whatever its kind."""
    models = Projected()
    projector = next(p for g in models.groups for p in g.projectors if isinstance(p, NotificationsModel))
    community = Community()
    ada, bob = community.register(), community.register()
    tweet = TweetId(community.ids.issue())
    for kind in KINDS:
        id_ = NotificationId(community.ids.issue())
        about = community.tell(NotificationWithdrawn(notification=id_, recipient=ada), bob)
        assert about
        event = NotificationRaised(notification=id_, recipient=ada, kind=kind, actor=bob, tweet=tweet)
        projector.handle(event, community.records[-1].about)
        assert models.views.digest("notifications")[0] == 1
        projector.handle(NotificationWithdrawn(notification=id_, recipient=ada), community.records[-1].about)
        assert models.views.digest("notifications")[0] == 0
    models.close()


def test_what_a_list_reads_are_ranges_of_an_index() -> None:
    models = Projected()
    adapter = models.readers.notifications
    execute = models.views.connection.execute
    members = [str(row[3]) for row in execute(f"EXPLAIN QUERY PLAN {adapter._members}", (1, 5, b"", b"", 1))]  # type: ignore[attr-defined]
    assert any("by_tweet (recipient=? AND kind=? AND tweet=? AND id<?)" in step for step in members), members
    assert not any("TEMP B-TREE" in step for step in members)
    for part in adapter._ranges.values():  # type: ignore[attr-defined]
        plan = [str(row[3]) for row in execute(f"EXPLAIN QUERY PLAN {part}", (1, b"", 1))]
        assert any("PRIMARY KEY (recipient=? AND kind=? AND id<?)" in step for step in plan), plan
        assert not any("TEMP B-TREE" in step for step in plan), plan
    models.close()
