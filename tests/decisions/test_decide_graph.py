"""Follows, blocks and mutes."""

from collections.abc import Callable

import pytest

from command_api.domain import (
    block_account,
    follow_account,
    mute_account,
    unblock_account,
    unfollow_account,
    unmute_account,
)
from command_api.domain.block_account import BLOCK_ACCOUNT, BlockAccount
from command_api.domain.errors import AccountNotFound, Blocked, NotYourself
from command_api.domain.follow_account import FollowAccount
from command_api.domain.mute_account import MuteAccount
from command_api.domain.unblock_account import UnblockAccount
from command_api.domain.unfollow_account import UnfollowAccount
from command_api.domain.unmute_account import UnmuteAccount
from command_api.facts import Named, Other
from events.graph import AccountBlocked, AccountFollowed, AccountUnblocked, AccountUnfollowed
from events.personal import AccountMuted, AccountUnmuted
from tests.decisions.given_when_then import ALICE, BOB, Given, given_for, related

follow = given_for(follow_account)
unfollow = given_for(unfollow_account)
block = given_for(block_account)
unblock = given_for(unblock_account)
mute = given_for(mute_account)
unmute = given_for(unmute_account)

BLOCKS = AccountBlocked(blocker=BOB, blocked=ALICE)


def test_an_account_follows_another() -> None:
    follow(other=related()).when(FollowAccount(BOB, ALICE)).then(AccountFollowed(follower=BOB, followee=ALICE))


def test_following_twice_appends_nothing() -> None:
    follow(other=related(following=True)).when(FollowAccount(BOB, ALICE)).then_nothing()


def test_being_followed_is_not_following() -> None:
    follow(other=related(followed_by=True)).when(FollowAccount(BOB, ALICE)).then(
        AccountFollowed(follower=BOB, followee=ALICE)
    )


@pytest.mark.parametrize("block", ["blocking", "blocked_by"])
def test_nobody_follows_past_a_block_of_either_side(block: str) -> None:
    follow(other=related(**{block: True})).when(FollowAccount(BOB, ALICE)).then_refused(Blocked)


def test_unfollowing_ends_the_follow() -> None:
    unfollow(other=related(following=True)).when(UnfollowAccount(BOB, ALICE)).then(
        AccountUnfollowed(follower=BOB, followee=ALICE)
    )


def test_unfollowing_someone_not_followed_appends_nothing() -> None:
    unfollow(other=related()).when(UnfollowAccount(BOB, ALICE)).then_nothing()


def test_a_block_between_strangers_is_a_block_alone() -> None:
    block(other=related()).when(BlockAccount(BOB, ALICE)).then(BLOCKS)


def test_a_block_ends_following_both_ways_before_it_stands() -> None:
    block(other=related(following=True, followed_by=True)).when(BlockAccount(BOB, ALICE)).then(
        AccountUnfollowed(follower=ALICE, followee=BOB), AccountUnfollowed(follower=BOB, followee=ALICE), BLOCKS
    )


@pytest.mark.parametrize(
    ("relation", "ended"),
    [
        (related(following=True), AccountUnfollowed(follower=BOB, followee=ALICE)),
        (related(followed_by=True), AccountUnfollowed(follower=ALICE, followee=BOB)),
    ],
)
def test_a_block_ends_only_the_follow_that_there_is(relation: Other, ended: AccountUnfollowed) -> None:
    block(other=relation).when(BlockAccount(BOB, ALICE)).then(ended, BLOCKS)


def test_a_block_locks_the_graphs_of_both() -> None:
    assert set(BLOCK_ACCOUNT.entities(BlockAccount(BOB, ALICE))) == {("graph", BOB), ("graph", ALICE)}


def test_blocking_twice_appends_nothing() -> None:
    block(other=related(blocking=True)).when(BlockAccount(BOB, ALICE)).then_nothing()


def test_someone_who_blocks_you_can_be_blocked() -> None:
    block(other=related(blocked_by=True)).when(BlockAccount(BOB, ALICE)).then(BLOCKS)


def test_unblocking_brings_no_follow_back() -> None:
    unblock(other=related(blocking=True)).when(UnblockAccount(BOB, ALICE)).then(
        AccountUnblocked(blocker=BOB, blocked=ALICE)
    )


def test_unblocking_someone_not_blocked_appends_nothing() -> None:
    unblock(other=related()).when(UnblockAccount(BOB, ALICE)).then_nothing()


def test_an_account_mutes_another() -> None:
    mute(other=related()).when(MuteAccount(BOB, ALICE)).then(AccountMuted(owner=BOB, muted=ALICE))


def test_muting_twice_appends_nothing() -> None:
    mute(other=related(muting=True)).when(MuteAccount(BOB, ALICE)).then_nothing()


def test_unmuting_ends_the_mute() -> None:
    unmute(other=related(muting=True)).when(UnmuteAccount(BOB, ALICE)).then(AccountUnmuted(owner=BOB, muted=ALICE))


def test_unmuting_someone_not_muted_appends_nothing() -> None:
    unmute(other=related()).when(UnmuteAccount(BOB, ALICE)).then_nothing()


@pytest.mark.parametrize(
    ("given", "command"),
    [(follow, FollowAccount), (block, BlockAccount), (mute, MuteAccount)],
    ids=["follow", "block", "mute"],
)
def test_it_is_never_done_to_yourself(given: Callable[..., Given], command: Callable[..., object]) -> None:
    given(other=related(BOB)).when(command(BOB, BOB)).then_refused(NotYourself)


ALL = [
    (follow, FollowAccount),
    (unfollow, UnfollowAccount),
    (block, BlockAccount),
    (unblock, UnblockAccount),
    (mute, MuteAccount),
    (unmute, UnmuteAccount),
]


@pytest.mark.parametrize(("given", "command"), ALL)
def test_it_is_not_done_to_nobody(given: Callable[..., Given], command: Callable[..., object]) -> None:
    given().when(command(BOB, ALICE)).then_refused(AccountNotFound, ALICE)


@pytest.mark.parametrize(("given", "command"), [one for one in ALL if one[0] is not block])
def test_it_is_done_to_the_account_that_has_the_name(
    given: Callable[..., Given], command: Callable[..., object]
) -> None:
    fields = {"following": True, "blocking": True, "muting": True} if given in (unfollow, unblock, unmute) else {}
    [event] = given(other=related(**fields)).when(command(BOB, Named("Alice"))).decided()
    assert ALICE in (getattr(event, name, None) for name in ("followee", "blocked", "muted"))
    given().when(command(BOB, Named("Alice"))).then_refused(AccountNotFound, "Alice")
