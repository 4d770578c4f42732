"""Posting, editing and deleting."""

from typing import Any

import msgspec
import pytest

from command_api.domain import delete_tweet, edit_tweet, post_tweet
from command_api.domain.delete_tweet import DeleteTweet
from command_api.domain.edit_tweet import EDIT_WINDOW_MS, EditTweet
from command_api.domain.errors import (
    AccountNotFound,
    EditWindowClosed,
    NotYours,
    TooManyEdits,
    TweetGone,
    TweetNotFound,
    VersionMismatch,
)
from command_api.domain.post_tweet import PostTweet
from command_api.facts import Account
from events.accounts import Profile
from events.entities import Entities, Hashtag, Mention
from events.ids import Millis
from events.tweets import Place, TweetDeleted, TweetEdited, TweetPosted, TweetRef
from tests.decisions.given_when_then import ALICE, BOB, CAROL, NOW, OTHER_TWEET, TWEET, given_for, tweet_of

AUTHOR = Account(ALICE, "alice", NOW, False, Profile(display_name="Alice"), 1)
MENTIONS = Entities(
    hashtags=(Hashtag("tag", 15, 19),),
    mentions=(Mention("Bob", 0, 4), Mention("nobody", 5, 12), Mention("bob", 20, 24)),
)
SETTLED = msgspec.structs.replace(
    MENTIONS, mentions=(Mention("Bob", 0, 4, BOB), Mention("nobody", 5, 12), Mention("bob", 20, 24, BOB))
)

post = given_for(post_tweet)
edit = given_for(edit_tweet)
delete = given_for(delete_tweet)


def posted(**fields: Any) -> TweetPosted:
    return TweetPosted(
        **{"tweet": TWEET, "author": ALICE, "text": "hello", "entities": Entities(), "conversation": TWEET, **fields}
    )


def a_post(**fields: Any) -> PostTweet:
    return PostTweet(**{"actor": ALICE, "tweet": TWEET, "text": "hello", "entities": Entities(), **fields})


def an_edit(**fields: Any) -> EditTweet:
    return EditTweet(
        **{"actor": ALICE, "tweet": TWEET, "text": "another text", "entities": Entities(), "at": NOW, **fields}
    )


def edited(**fields: Any) -> TweetEdited:
    return TweetEdited(
        **{"tweet": TWEET, "author": ALICE, "version": 2, "text": "another text", "entities": Entities(), **fields}
    )


def test_a_tweet_begins_a_conversation() -> None:
    post(author=AUTHOR).when(a_post()).then(posted(conversation=TWEET))


def test_a_tweet_keeps_its_place_and_its_warning() -> None:
    extras = {"location": Place(lat=1.5, lon=2.5, name="Accra"), "sensitive": True, "content_warning": "spoilers"}
    post(author=AUTHOR).when(a_post(**extras)).then(posted(**extras))


def test_a_reply_names_whom_it_answers_and_stays_in_the_conversation() -> None:
    replied = tweet_of(BOB, OTHER_TWEET, conversation=tweet_of(CAROL).id)
    post(author=AUTHOR, replied=replied).when(a_post(reply_to=OTHER_TWEET)).then(
        posted(reply_to=TweetRef(OTHER_TWEET, BOB), conversation=replied.conversation)
    )


def test_a_quote_names_whom_it_quotes_and_begins_a_conversation() -> None:
    post(author=AUTHOR, quoted=tweet_of(BOB, OTHER_TWEET)).when(a_post(quote_of=OTHER_TWEET)).then(
        posted(quote_of=TweetRef(OTHER_TWEET, BOB), conversation=TWEET)
    )


def test_mentions_are_settled_by_the_names_of_the_moment() -> None:
    post(author=AUTHOR, mentioned={"bob": BOB}).when(a_post(entities=MENTIONS)).then(posted(entities=SETTLED))


def test_nobody_posts_who_has_no_account() -> None:
    post(author=None).when(a_post()).then_refused(AccountNotFound)


@pytest.mark.parametrize(("command", "state"), [("reply_to", "replied"), ("quote_of", "quoted")])
def test_what_never_was_or_is_hidden_cannot_be_referred_to(command: str, state: str) -> None:
    for tweet in (None, tweet_of(BOB, OTHER_TWEET, blocked=True)):
        post(author=AUTHOR, **{state: tweet}).when(a_post(**{command: OTHER_TWEET})).then_refused(TweetNotFound)


@pytest.mark.parametrize(("command", "state"), [("reply_to", "replied"), ("quote_of", "quoted")])
def test_what_is_deleted_cannot_be_referred_to(command: str, state: str) -> None:
    gone = tweet_of(BOB, OTHER_TWEET, deleted=True)
    post(author=AUTHOR, **{state: gone}).when(a_post(**{command: OTHER_TWEET})).then_refused(TweetGone)


def test_an_edit_is_the_next_version() -> None:
    edit(tweet=tweet_of(ALICE, version=3)).when(an_edit()).then(edited(version=4))


def test_an_edit_settles_its_mentions_anew() -> None:
    edit(tweet=tweet_of(ALICE), mentioned={"bob": BOB}).when(an_edit(entities=MENTIONS)).then(edited(entities=SETTLED))


def test_a_tweet_can_be_edited_twenty_times() -> None:
    edit(tweet=tweet_of(ALICE, version=20)).when(an_edit()).then(edited(version=21))
    edit(tweet=tweet_of(ALICE, version=21)).when(an_edit()).then_refused(TooManyEdits)


def test_an_edit_to_the_same_text_appends_nothing() -> None:
    edit(tweet=tweet_of(ALICE, text="another text")).when(an_edit()).then_nothing()


def test_only_the_author_edits() -> None:
    edit(tweet=tweet_of(ALICE)).when(an_edit(actor=BOB)).then_refused(NotYours, "edit")


def test_not_even_to_the_same_text_does_another_edit() -> None:
    edit(tweet=tweet_of(ALICE, text="another text")).when(an_edit(actor=BOB)).then_refused(NotYours)


def test_a_deleted_tweet_is_not_edited() -> None:
    edit(tweet=tweet_of(ALICE, deleted=True)).when(an_edit()).then_refused(TweetGone)


def test_what_never_was_or_is_hidden_is_not_edited() -> None:
    for tweet in (None, tweet_of(ALICE, blocked=True)):
        edit(tweet=tweet).when(an_edit(actor=BOB)).then_refused(TweetNotFound)


def test_an_edit_of_the_version_that_was_seen_is_made() -> None:
    edit(tweet=tweet_of(ALICE, version=3)).when(an_edit(if_version=3)).then(edited(version=4))


@pytest.mark.parametrize("seen", [2, 4])
def test_an_edit_of_another_version_than_was_seen_is_refused(seen: int) -> None:
    edit(tweet=tweet_of(ALICE, version=3)).when(an_edit(if_version=seen)).then_refused(VersionMismatch)


def test_a_stale_version_is_refused_even_where_the_text_is_the_same() -> None:
    edit(tweet=tweet_of(ALICE, text="another text", version=3)).when(an_edit(if_version=2)).then_refused(
        VersionMismatch
    )


def test_an_edit_is_possible_to_the_last_millisecond_of_the_window() -> None:
    edit(tweet=tweet_of(ALICE)).when(an_edit(at=Millis(NOW + EDIT_WINDOW_MS))).then(edited())


def test_an_edit_after_the_window_is_refused() -> None:
    edit(tweet=tweet_of(ALICE)).when(an_edit(at=Millis(NOW + EDIT_WINDOW_MS + 1))).then_refused(
        EditWindowClosed, "30 minutes"
    )


def test_an_edit_that_is_sent_again_after_the_window_appends_nothing() -> None:
    edit(tweet=tweet_of(ALICE, text="another text")).when(an_edit(at=Millis(NOW + EDIT_WINDOW_MS + 1))).then_nothing()


def test_the_window_is_thirty_minutes() -> None:
    assert EDIT_WINDOW_MS == 30 * 60 * 1000


def test_a_deletion_says_again_what_the_tweet_replied_to_and_quoted() -> None:
    tweet = tweet_of(ALICE, reply_to=TweetRef(OTHER_TWEET, BOB), quote_of=TweetRef(OTHER_TWEET, CAROL))
    delete(tweet=tweet).when(DeleteTweet(ALICE, TWEET)).then(
        TweetDeleted(tweet=TWEET, author=ALICE, reply_to=tweet.reply_to, quote_of=tweet.quote_of)
    )


def test_only_the_author_deletes() -> None:
    delete(tweet=tweet_of(ALICE)).when(DeleteTweet(BOB, TWEET)).then_refused(NotYours, "delete")


def test_a_tweet_is_deleted_once() -> None:
    delete(tweet=tweet_of(ALICE, deleted=True)).when(DeleteTweet(ALICE, TWEET)).then_refused(TweetGone)


def test_what_never_was_or_is_hidden_is_not_deleted() -> None:
    for tweet in (None, tweet_of(ALICE, blocked=True)):
        delete(tweet=tweet).when(DeleteTweet(BOB, TWEET)).then_refused(TweetNotFound)
