"""For any history the core read models are correct: counters equal the size of their set, lists are in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any, TypeVar

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from events.accounts import AccountRegistered
from events.entities import Entities, fold_tag
from events.graph import AccountFollowed
from events.ids import AccountId, Millis, TweetId
from events.tweets import TweetPosted
from stores.composed.shown_tweets import GatheredTweets
from stores.counts import AccountCounts, TweetCounts
from stores.engagement import Marks
from stores.graph import Relation
from stores.pages import Page
from stores.readers import Readers
from tests.community import HOUR, Community, Moment
from tests.examples import at_most
from tests.histories import histories
from tests.projections.projected import projected
from tests.written import Written

T = TypeVar("T")

Fetch = Callable[[str | None, int], Awaitable[Page[T]]]
Check = Callable[[Community, Readers, int], Coroutine[Any, Any, None]]


def holds(check: Check) -> Callable[[Community, int], None]:
    """Check the read models of a community, with pages of some size."""

    @at_most(30)
    @given(histories(most=80), st.integers(1, 5))
    def test(community: Community, limit: int) -> None:
        models = projected([community.records])
        asyncio.run(check(community, models.readers, limit))
        models.close()

    return test


async def walk(fetch: Fetch[T], limit: int) -> list[T]:
    """Return all pages of a list."""
    items: list[T] = []
    position: str | None = None
    while True:
        page = await fetch(position, limit)
        assert len(page.items) <= limit
        assert page.items or not items  # a page with a `next` was followed by items
        items += page.items
        position = page.next
        if position is None:
            return items


def newest_first(done: dict[tuple[Any, Any], Moment], keep: Callable[[Any, Any], bool]) -> list[tuple[Any, Any]]:
    """Return the pairs that `keep` accepts, newest first."""
    return sorted((pair for pair in done if keep(*pair)), key=lambda pair: done[pair], reverse=True)


def standing(community: Community) -> list[Written]:
    """Return the tweets that are not deleted, newest first."""
    return sorted((t for t in community.tweets.values() if not t.deleted), key=lambda t: t.id, reverse=True)


async def counters(c: Community, readers: Readers, limit: int) -> None:
    def number(of: Iterable[bool]) -> int:
        return sum(of)

    counts = await readers.counts.of_tweets(list(c.tweets))
    for id_ in c.tweets:
        assert counts.get(id_, TweetCounts()) == TweetCounts(
            replies=number(t.reply_to is not None and t.reply_to.tweet == id_ for t in standing(c)),
            retweets=number(tweet == id_ for _, tweet in c.retweets),
            quotes=number(t.quote_of is not None and t.quote_of.tweet == id_ for t in standing(c)),
            likes=number(tweet == id_ for _, tweet in c.likes),
            bookmarks=number(tweet == id_ for _, tweet in c.bookmarks),
        )
    of_accounts = await readers.counts.of_accounts(c.accounts)
    for account in c.accounts:
        assert of_accounts.get(account, AccountCounts()) == AccountCounts(
            followers=number(followee == account for _, followee in c.follows),
            following=number(follower == account for follower, _ in c.follows),
            tweets=number(t.author == account for t in standing(c)),
        )


async def the_graph(c: Community, readers: Readers, limit: int) -> None:
    graph = readers.graph
    for a in c.accounts:
        following = newest_first(c.follows, lambda follower, _: follower == a)  # noqa: B023  # called at once
        followers = newest_first(c.follows, lambda _, followee: followee == a)  # noqa: B023
        blocks = newest_first(c.blocks, lambda blocker, _: blocker == a)  # noqa: B023
        mutes = newest_first(c.mutes, lambda owner, _: owner == a)  # noqa: B023
        assert await walk(partial(graph.following, a), limit) == [b for _, b in following]
        assert await walk(partial(graph.followers, a), limit) == [b for b, _ in followers]
        assert await walk(partial(graph.blocks, a), limit) == [b for _, b in blocks]
        assert await walk(partial(graph.mutes, a), limit) == [b for _, b in mutes]
        assert set(await graph.followees(a)) == {b for _, b in following}
        relations = await graph.relations(a, c.accounts)
        for b in c.accounts:
            assert relations.get(b, Relation()) == Relation(
                following=(a, b) in c.follows,
                followed_by=(b, a) in c.follows,
                blocking=(a, b) in c.blocks,
                blocked_by=(b, a) in c.blocks,
                muting=(a, b) in c.mutes,
            )
        unseen = await graph.unseen(a, c.accounts)
        assert unseen.blocked == {b for b in c.accounts if c.hidden(a, b)}
        assert unseen.muted == {b for b in c.accounts if (a, b) in c.mutes}


async def tweets(c: Community, readers: Readers, limit: int) -> None:
    found = await readers.tweets.by_ids(list(c.tweets))
    assert list(found) == list(c.tweets)
    for id_, written in c.tweets.items():
        tweet = found[id_]
        assert (tweet.author, tweet.conversation) == (written.author, written.conversation)
        assert (tweet.reply_to, tweet.quote_of) == (written.reply_to, written.quote_of)
        assert tweet.deleted == written.deleted
        history = await readers.tweets.history(id_)
        if written.deleted:
            assert (tweet.text, history) == ("", [])
            continue
        assert (tweet.text, tweet.version) == (written.texts[-1], len(written.texts))
        assert (tweet.edited_at is None) == (tweet.version == 1)
        assert msgspec.json.decode(tweet.entities, type=Entities) == written.entities
        assert [(version.version, version.text) for version in history] == [*enumerate(written.texts, 1)]


async def shown_tweets(c: Community, readers: Readers, limit: int) -> None:
    """Compare the one statement over all tables with the read models; `hidden` has the authors that a viewer must not
    see.
    """
    r = readers
    gathered = GatheredTweets(r.tweets.by_ids, r.users.cards, r.sentiment.scores, r.graph, r.counts, r.engagement)
    everything = list(c.tweets)
    for viewer in (None, *c.accounts):
        shown = await readers.shown_tweets.of(viewer, everything)
        assert shown == await gathered.of(viewer, everything)
        assert set(shown) == {t.id for t in standing(c) if viewer is None or not c.hidden(viewer, t.author)}
        for id_ in everything[:limit]:
            assert await readers.shown_tweets.of(viewer, [id_]) == {k: v for k, v in shown.items() if k == id_}
    assert await readers.shown_tweets.of(None, []) == {}


async def engagement(c: Community, readers: Readers, limit: int) -> None:
    did = readers.engagement
    retweets = {(actor, tweet): id_ for (actor, tweet), id_ in c.retweets.items()}
    for id_ in c.tweets:
        likers = newest_first(c.likes, lambda _, tweet: tweet == id_)  # noqa: B023  # called at once
        retweeters = sorted((pair for pair in retweets if pair[1] == id_), key=lambda p: retweets[p], reverse=True)
        quotes = [t.id for t in standing(c) if t.quote_of is not None and t.quote_of.tweet == id_]
        assert await walk(partial(did.likers, id_), limit) == [actor for actor, _ in likers]
        assert await walk(partial(did.retweeters, id_), limit) == [actor for actor, _ in retweeters]
        assert await walk(partial(did.quotes, id_), limit) == quotes
    for account in c.accounts:
        likes = newest_first(c.likes, lambda actor, _: actor == account)  # noqa: B023
        bookmarks = newest_first(c.bookmarks, lambda owner, _: owner == account)  # noqa: B023
        assert await walk(partial(did.likes, account), limit) == [tweet for _, tweet in likes]
        assert await walk(partial(did.bookmarks, account), limit) == [tweet for _, tweet in bookmarks]
        marks = await did.marks(account, list(c.tweets))
        for id_ in c.tweets:
            pair = (account, id_)
            assert marks.get(id_, Marks()) == Marks(pair in c.likes, pair in c.retweets, pair in c.bookmarks)


async def timelines(c: Community, readers: Readers, limit: int) -> None:
    for account in c.accounts:
        posts = [(str(t.id), t) for t in standing(c) if t.author == account]
        retweets = [(str(id_), c.tweets[tweet]) for (actor, tweet), id_ in c.retweets.items() if actor == account]
        everything = sorted([*posts, *retweets], key=lambda entry: entry[0], reverse=True)
        without = [
            (id_, t) for id_, t in everything if id_ != t.id or t.reply_to is None or t.reply_to.author == account
        ]
        for fetch, expected in (
            (readers.user_timelines.all, everything),
            (readers.user_timelines.without_replies, without),
        ):
            found = await walk(partial(fetch, account), limit)
            assert [(a.id, a.tweet, a.by, a.retweet) for a in found] == [
                (id_, t.id, account, id_ != t.id) for id_, t in expected
            ]


async def the_public_timeline(c: Community, readers: Readers, limit: int) -> None:
    posts = [t.id for t in standing(c) if t.reply_to is None or t.reply_to.author == t.author]
    assert await walk(readers.public_timeline.latest, limit) == posts


async def conversations(c: Community, readers: Readers, limit: int) -> None:
    def replies(to: TweetId) -> list[TweetId]:
        return sorted(t.id for t in c.tweets.values() if t.reply_to is not None and t.reply_to.tweet == to)

    def ancestors(id_: TweetId) -> list[TweetId]:
        reply_to = c.tweets[id_].reply_to
        return [] if reply_to is None else [reply_to.tweet, *ancestors(reply_to.tweet)]

    firsts = await readers.conversations.first_replies(list(c.tweets), limit)
    for id_ in c.tweets:
        assert await walk(partial(readers.conversations.replies, id_), limit) == replies(id_)
        assert firsts.get(id_, []) == replies(id_)[:limit]
        assert await readers.conversations.ancestors(id_, 100) == ancestors(id_)
        assert await readers.conversations.ancestors(id_, 2) == ancestors(id_)[:2]


async def hashtags(c: Community, readers: Readers, limit: int) -> None:
    tags = {fold_tag(h.tag) for t in c.tweets.values() for h in t.entities.hashtags} | {"never"}
    for tag in tags:
        carrying = [t.id for t in standing(c) if tag in {fold_tag(h.tag) for h in t.entities.hashtags}]
        assert await walk(partial(readers.hashtags.tweets, tag), limit) == carrying


async def users(c: Community, readers: Readers, limit: int) -> None:
    found = await readers.users.by_ids(c.accounts)
    cards = await readers.users.cards(c.accounts)
    for n, account in enumerate(c.accounts):
        user, profile = found[account], c.profiles[account]
        told = [record for record in c.records if record.key == account and record.topic == "accounts"]
        registered = told[0].event
        assert isinstance(registered, AccountRegistered)
        assert (user.id, user.username) == (account, f"User{n}")
        began = [told[0].about.time]
        if registered.imported:
            posted = (r for r in c.records if isinstance(r.event, TweetPosted) and r.event.imported)
            began += [Millis(r.about.time - 1) for r in posted if r.key == account]
        assert (user.created_at, user.imported) == (min(began), registered.imported)
        assert user.version == 1 + sum(record.type == "ProfileChanged" for record in told)
        assert (user.display_name, user.bio, user.location, user.website, user.feed) == (
            profile.display_name,
            profile.bio,
            profile.location,
            profile.website,
            profile.feed,
        )
        assert user.role == c.roles.get(account, "user")
        assert await readers.users.named(f"uSER{n}") == user
        assert (cards[account].username, cards[account].display_name) == (user.username, user.display_name)
    assert await readers.users.named("nobody") is None
    assert await readers.users.by_ids([AccountId("01977420-dc00-7002-8000-000000000000")]) == {}


test_every_counter_is_the_size_of_the_set_it_counts = holds(counters)
test_the_graph_lists_and_relations_are_those_of_the_community = holds(the_graph)
test_tweets_have_their_newest_text_and_all_before_it_unless_they_are_deleted = holds(tweets)
test_a_tweet_is_shown_as_the_read_models_have_it = holds(shown_tweets)
test_who_did_what_and_what_one_did_are_listed_newest_first = holds(engagement)
test_user_timelines_have_posts_and_retweets_with_or_without_replies = holds(timelines)
test_the_public_timeline_has_everyones_posts_without_replies_to_others = holds(the_public_timeline)
test_conversations_are_known_upwards_and_downwards = holds(conversations)
test_a_hashtag_leads_to_the_tweets_that_carry_it_now = holds(hashtags)
test_users_are_found_by_id_and_by_name_in_any_case = holds(users)


def test_an_imported_follow_is_listed_by_its_time() -> None:
    c = Community()
    ada, *others = (c.register() for _ in range(4))
    for n, other in enumerate(others):
        ago = Millis(c.now - (0, 2 * HOUR, HOUR)[n])
        c.follows[ada, other] = c.tell(AccountFollowed(follower=ada, followee=other), ada, ago)
    models = projected([c.records])

    listed = asyncio.run(walk(partial(models.readers.graph.following, ada), 1))

    assert listed == [others[0], others[2], others[1]]
    models.close()


def test_many_hidden_replies_make_pages_short_but_end_no_list() -> None:
    c = Community()
    ada, bob = c.register(), c.register()
    first, tweet = c.post(bob, 0), c.post(ada, 0)
    for n in range(1100):
        c.post(bob, n, reply_to=tweet)
    models = projected([c.records])
    lists: list[tuple[Callable[[str | None, int], Coroutine[Any, Any, Page[Any]]], list[TweetId | None]]] = [
        (models.readers.public_timeline.latest, [tweet, first]),
        (partial(models.readers.user_timelines.without_replies, bob), [first]),
    ]
    for fetch, expected in lists:
        page: Page[Any] = asyncio.run(fetch(None, 20))
        assert (page.items, page.next is None) == ([], False)
        rest: Page[Any] = asyncio.run(fetch(page.next, 20))
        assert [getattr(item, "tweet", item) for item in rest.items] == expected
        assert rest.next is None
    models.close()
