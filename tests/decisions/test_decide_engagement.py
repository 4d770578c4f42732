"""Likes, retweets and bookmarks."""

from collections.abc import Callable
from typing import Any

import pytest

from command_api.domain import bookmark_tweet, like_tweet, remove_bookmark, retweet_tweet, undo_retweet, unlike_tweet
from command_api.domain.bookmark_tweet import BookmarkTweet
from command_api.domain.errors import TweetGone, TweetNotFound
from command_api.domain.like_tweet import LikeTweet
from command_api.domain.remove_bookmark import RemoveBookmark
from command_api.domain.retweet_tweet import RetweetTweet
from command_api.domain.undo_retweet import UndoRetweet
from command_api.domain.unlike_tweet import UnlikeTweet
from command_api.facts import Tweet
from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.event import Event
from events.ids import ActivityId, Millis, id_at
from events.personal import BookmarkRemoved, TweetBookmarked
from tests.decisions.given_when_then import ALICE, BOB, RETWEET, TWEET, Given, given_for, tweet_of

THERE = tweet_of(ALICE)
DELETED = tweet_of(ALICE, deleted=True)
HIDDEN = tweet_of(ALICE, blocked=True)
LATER = ActivityId(id_at(Millis(1_800_000_000_000), "later"))

like = given_for(like_tweet)
unlike = given_for(unlike_tweet)
retweet = given_for(retweet_tweet)
undo = given_for(undo_retweet)
bookmark = given_for(bookmark_tweet)
remove = given_for(remove_bookmark)

DOING = pytest.mark.parametrize(
    ("given", "command"),
    [
        pytest.param(like, LikeTweet(BOB, TWEET), id="like"),
        pytest.param(retweet, RetweetTweet(BOB, TWEET, RETWEET), id="retweet"),
        pytest.param(bookmark, BookmarkTweet(BOB, TWEET), id="bookmark"),
    ],
)
TAKING_BACK = pytest.mark.parametrize(
    ("given", "command", "done", "undone"),
    [
        pytest.param(
            unlike,
            UnlikeTweet(BOB, TWEET),
            {"liked": True},
            TweetUnliked(tweet=TWEET, author=ALICE, actor=BOB),
            id="unlike",
        ),
        pytest.param(
            undo,
            UndoRetweet(BOB, TWEET),
            {"retweet": RETWEET},
            RetweetUndone(retweet=RETWEET, tweet=TWEET, author=ALICE, actor=BOB),
            id="undo retweet",
        ),
        pytest.param(
            remove,
            RemoveBookmark(BOB, TWEET),
            {"bookmarked": True},
            BookmarkRemoved(owner=BOB, tweet=TWEET, author=ALICE),
            id="remove bookmark",
        ),
    ],
)


def test_a_like_names_the_author_of_what_was_liked() -> None:
    like(tweet=THERE).when(LikeTweet(BOB, TWEET)).then(TweetLiked(tweet=TWEET, author=ALICE, actor=BOB))


def test_an_author_can_like_their_own_tweet() -> None:
    like(tweet=THERE).when(LikeTweet(ALICE, TWEET)).then(TweetLiked(tweet=TWEET, author=ALICE, actor=ALICE))


def test_liking_twice_appends_nothing() -> None:
    like(tweet=THERE, liked=True).when(LikeTweet(BOB, TWEET)).then_nothing()


def test_a_retweet_has_an_id_of_its_own() -> None:
    retweet(tweet=THERE).when(RetweetTweet(BOB, TWEET, RETWEET)).then(
        TweetRetweeted(retweet=RETWEET, tweet=TWEET, author=ALICE, actor=BOB)
    )


def test_retweeting_twice_appends_nothing_whatever_the_new_id() -> None:
    retweet(tweet=THERE, retweet=RETWEET).when(RetweetTweet(BOB, TWEET, LATER)).then_nothing()


def test_undoing_a_retweet_names_the_retweet_that_was_made() -> None:
    undo(tweet=THERE, retweet=LATER).when(UndoRetweet(BOB, TWEET)).then(
        RetweetUndone(retweet=LATER, tweet=TWEET, author=ALICE, actor=BOB)
    )


def test_a_bookmark_is_kept() -> None:
    bookmark(tweet=THERE).when(BookmarkTweet(BOB, TWEET)).then(TweetBookmarked(owner=BOB, tweet=TWEET, author=ALICE))


def test_bookmarking_twice_appends_nothing() -> None:
    bookmark(tweet=THERE, bookmarked=True).when(BookmarkTweet(BOB, TWEET)).then_nothing()


@DOING
def test_nothing_is_done_to_a_tweet_that_never_was(given: Callable[..., Given], command: object) -> None:
    given(tweet=None).when(command).then_refused(TweetNotFound, TWEET)


@DOING
def test_nothing_is_done_to_a_deleted_tweet(given: Callable[..., Given], command: object) -> None:
    given(tweet=DELETED).when(command).then_refused(TweetGone)


@DOING
def test_nothing_is_done_past_a_block_which_hides_that_the_tweet_is_there(
    given: Callable[..., Given], command: object
) -> None:
    given(tweet=HIDDEN).when(command).then_refused(TweetNotFound)


@DOING
def test_a_block_hides_that_the_tweet_was_deleted_too(given: Callable[..., Given], command: object) -> None:
    given(tweet=tweet_of(ALICE, deleted=True, blocked=True)).when(command).then_refused(TweetNotFound)


@TAKING_BACK
def test_what_was_done_can_be_taken_back(
    given: Callable[..., Given], command: object, done: dict[str, Any], undone: Event
) -> None:
    given(tweet=THERE, **done).when(command).then(undone)


@TAKING_BACK
def test_it_can_be_taken_back_from_a_deleted_tweet(
    given: Callable[..., Given], command: object, done: dict[str, Any], undone: Event
) -> None:
    given(tweet=DELETED, **done).when(command).then(undone)


@TAKING_BACK
def test_it_can_be_taken_back_past_a_block(
    given: Callable[..., Given], command: object, done: dict[str, Any], undone: Event
) -> None:
    given(tweet=HIDDEN, **done).when(command).then(undone)


@TAKING_BACK
@pytest.mark.parametrize("tweet", [THERE, DELETED, HIDDEN], ids=["there", "deleted", "hidden"])
def test_taking_back_what_was_not_done_appends_nothing(
    given: Callable[..., Given], command: object, done: dict[str, Any], undone: Event, tweet: Tweet
) -> None:
    given(tweet=tweet).when(command).then_nothing()


@TAKING_BACK
def test_nothing_is_taken_back_from_a_tweet_that_never_was(
    given: Callable[..., Given], command: object, done: dict[str, Any], undone: Event
) -> None:
    given(tweet=None).when(command).then_refused(TweetNotFound)
