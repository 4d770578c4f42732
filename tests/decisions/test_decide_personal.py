"""Read marks and the profile."""

from typing import Any

import pytest

from command_api.domain import change_profile, read_notification, read_notifications
from command_api.domain.change_profile import ChangeProfile
from command_api.domain.errors import AccountNotFound, NotificationNotFound, VersionMismatch
from command_api.domain.read_notification import ReadNotification
from command_api.domain.read_notifications import ReadNotifications
from command_api.facts import Account
from events.accounts import Profile, ProfileChanged
from events.ids import MAX_DRIFT_MS, Millis, NotificationId, id_at
from events.personal import NotificationRead, NotificationsRead
from tests.decisions.given_when_then import ALICE, NOW, given_for

OLDER, NEWER = (NotificationId(id_at(Millis(NOW - ago), "notification")) for ago in (2000, 1000))
ALMOST_TOO_NEW = NotificationId(id_at(Millis(NOW + MAX_DRIFT_MS), "notification"))
TOO_NEW = NotificationId(id_at(Millis(NOW + MAX_DRIFT_MS + 1), "notification"))
PROFILE = Profile(display_name="Alice", bio="about me", location="Accra", website="https://example.org", feed="top")
ACCOUNT = Account(ALICE, "alice", NOW, False, PROFILE, 7)

read_one = given_for(read_notification)
read_all = given_for(read_notifications)
change = given_for(change_profile)


def test_a_notification_is_read() -> None:
    read_one().when(ReadNotification(ALICE, OLDER, NOW)).then(NotificationRead(owner=ALICE, notification=OLDER))


def test_reading_a_notification_twice_appends_nothing() -> None:
    read_one(read=True).when(ReadNotification(ALICE, OLDER, NOW)).then_nothing()


def test_all_are_read_up_to_one() -> None:
    read_all().when(ReadNotifications(ALICE, OLDER, NOW)).then(NotificationsRead(owner=ALICE, up_to=OLDER))


def test_the_mark_goes_forward() -> None:
    read_all(mark=OLDER).when(ReadNotifications(ALICE, NEWER, NOW)).then(NotificationsRead(owner=ALICE, up_to=NEWER))


@pytest.mark.parametrize("up_to", [OLDER, NEWER])
def test_the_mark_neither_goes_back_nor_is_set_twice(up_to: NotificationId) -> None:
    read_all(mark=NEWER).when(ReadNotifications(ALICE, up_to, NOW)).then_nothing()


def test_nothing_is_read_that_is_still_to_come() -> None:
    read_one().when(ReadNotification(ALICE, TOO_NEW, NOW)).then_refused(NotificationNotFound)
    read_all().when(ReadNotifications(ALICE, TOO_NEW, NOW)).then_refused(NotificationNotFound)


def test_a_clock_may_be_as_far_behind_as_ids_may_run_ahead() -> None:
    read_one().when(ReadNotification(ALICE, ALMOST_TOO_NEW, NOW)).then(
        NotificationRead(owner=ALICE, notification=ALMOST_TOO_NEW)
    )
    read_all().when(ReadNotifications(ALICE, ALMOST_TOO_NEW, NOW)).then(
        NotificationsRead(owner=ALICE, up_to=ALMOST_TOO_NEW)
    )


@pytest.mark.parametrize("field", ["display_name", "bio", "location", "website", "feed"])
def test_a_change_of_one_field_leaves_the_others_and_says_the_whole(field: str) -> None:
    changed: dict[str, Any] = {field: "changed"}
    (event,) = change(account=ACCOUNT).when(ChangeProfile(ALICE, **changed)).decided()
    assert event == ProfileChanged(
        account=ALICE,
        profile=Profile(**{name: getattr(PROFILE, name) for name in PROFILE.__struct_fields__} | {field: "changed"}),
    )


def test_a_field_can_be_emptied() -> None:
    (event,) = change(account=ACCOUNT).when(ChangeProfile(ALICE, bio="")).decided()
    assert isinstance(event, ProfileChanged)
    assert event.profile.bio == ""


def test_a_change_to_what_is_there_appends_nothing() -> None:
    change(account=ACCOUNT).when(ChangeProfile(ALICE, bio=PROFILE.bio, feed=PROFILE.feed)).then_nothing()


def test_a_change_of_nothing_appends_nothing() -> None:
    change(account=ACCOUNT).when(ChangeProfile(ALICE)).then_nothing()


def test_a_change_of_the_version_that_was_seen_is_made() -> None:
    assert change(account=ACCOUNT).when(ChangeProfile(ALICE, bio="new", if_version=7)).decided()


@pytest.mark.parametrize("bio", ["new", PROFILE.bio])
def test_a_change_of_another_version_than_was_seen_is_refused(bio: str) -> None:
    change(account=ACCOUNT).when(ChangeProfile(ALICE, bio=bio, if_version=6)).then_refused(VersionMismatch, "7")


def test_nobody_has_no_profile() -> None:
    change(account=None).when(ChangeProfile(ALICE, bio="new")).then_refused(AccountNotFound)
