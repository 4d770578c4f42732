"""Importing accounts, tweets and follows."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from command_api.domain import import_account, import_follow, import_tweet
from command_api.domain.errors import AccountNotFound, NotYourself
from command_api.domain.import_account import ImportAccount
from command_api.domain.import_follow import ImportFollow
from command_api.domain.import_tweet import ImportTweet
from command_api.domain.register_account import NumberIsTaken
from command_api.facts import NO_FOLLOW, Follow
from events.accounts import AccountRegistered
from events.entities import Entities, Mention
from events.graph import AccountFollowed
from events.ids import Millis, millis
from events.tweets import Place, TweetPosted
from tests.decisions.given_when_then import ALICE, BOB, given_for

LONG_AGO = Millis(1_424_300_000_000)
MENTIONS = Entities(mentions=(Mention("Bob", 0, 4),))

account = given_for(import_account)
tweet = given_for(import_tweet)
follow = given_for(import_follow)

AN_ACCOUNT = ImportAccount(ALICE, "alice", "Alice")
A_TWEET = ImportTweet(ALICE, "570306133677760513", LONG_AGO, "@Bob said", MENTIONS, Place(name="Accra"))


def test_an_imported_account_has_no_address_and_says_that_it_is_imported() -> None:
    account().when(AN_ACCOUNT).then(
        AccountRegistered(account=ALICE, username="alice", display_name="Alice", email=None, imported=True)
    )


def test_importing_an_account_twice_appends_nothing() -> None:
    account(exists=True, name_taken=True, number_taken=True).when(AN_ACCOUNT).then_nothing()


def test_an_account_that_has_another_name_by_now_is_not_imported_again() -> None:
    account(exists=True, number_taken=True).when(AN_ACCOUNT).then_nothing()


def test_where_the_name_is_an_accounts_already_nothing_is_imported() -> None:
    account(name_taken=True).when(AN_ACCOUNT).then_nothing()


def test_an_account_is_not_imported_under_the_number_of_another() -> None:
    account(number_taken=True).when(AN_ACCOUNT).then_refused(NumberIsTaken)


def test_an_imported_tweet_is_made_of_its_own_time() -> None:
    assert millis(A_TWEET.tweet) == LONG_AGO


@pytest.mark.parametrize("change", [{"source": "570306133677760514"}, {"at": Millis(LONG_AGO + 1)}])
def test_tweets_of_another_source_id_or_time_are_other_tweets(change: dict[str, Any]) -> None:
    assert replace(A_TWEET, **change).tweet != A_TWEET.tweet
    assert replace(A_TWEET).tweet == A_TWEET.tweet


def test_an_imported_tweet_begins_a_conversation_and_has_its_mentions_settled() -> None:
    tweet(mentioned={"bob": BOB}).when(A_TWEET).then(
        TweetPosted(
            tweet=A_TWEET.tweet,
            author=ALICE,
            text="@Bob said",
            entities=msgspec.structs.replace(MENTIONS, mentions=(Mention("Bob", 0, 4, BOB),)),
            conversation=A_TWEET.tweet,
            location=Place(name="Accra"),
            imported=True,
        )
    )


def test_importing_a_tweet_twice_appends_nothing() -> None:
    tweet(imported=True).when(A_TWEET).then_nothing()


def test_a_tweet_is_not_imported_for_nobody() -> None:
    tweet(author_exists=False).when(A_TWEET).then_refused(AccountNotFound)


def test_a_follow_is_imported() -> None:
    follow().when(ImportFollow(BOB, ALICE)).then(AccountFollowed(follower=BOB, followee=ALICE))


def test_importing_a_follow_twice_appends_nothing() -> None:
    follow(follow=Follow(there=True, ended=False, blocked=False)).when(ImportFollow(BOB, ALICE)).then_nothing()


def test_importing_again_brings_no_follow_back_that_was_ended() -> None:
    follow(follow=Follow(there=False, ended=True, blocked=False)).when(ImportFollow(BOB, ALICE)).then_nothing()


def test_no_follow_is_imported_past_a_block() -> None:
    follow(follow=Follow(there=False, ended=False, blocked=True)).when(ImportFollow(BOB, ALICE)).then_nothing()


def test_no_follow_of_oneself_is_imported() -> None:
    follow().when(ImportFollow(BOB, BOB)).then_refused(NotYourself)


@pytest.mark.parametrize("missing", [ALICE, BOB])
def test_no_follow_of_or_by_nobody_is_imported(missing: str) -> None:
    follow(missing=missing, follow=NO_FOLLOW).when(ImportFollow(BOB, ALICE)).then_refused(AccountNotFound, missing)
