"""Uploading, finishing, deleting and showing media."""

from typing import Any

import pytest

from command_api.deciding import Refused
from command_api.domain import add_media, change_profile, delete_media, finish_upload, post_tweet, start_upload
from command_api.domain.add_media import AddMedia
from command_api.domain.change_profile import ChangeProfile
from command_api.domain.delete_media import DeleteMedia
from command_api.domain.errors import (
    AccountNotFound,
    MediaGone,
    MediaNotFound,
    MediaShown,
    MediaUnfinished,
    NotAPicture,
)
from command_api.domain.finish_upload import FinishUpload
from command_api.domain.post_tweet import PostTweet
from command_api.domain.start_upload import StartUpload
from command_api.facts import Account, Media, StoredFile
from events.accounts import Profile, ProfileChanged
from events.entities import Entities
from events.ids import AccountId, MediaId, id_at
from events.media import Attachment, MediaDeleted, MediaFinished, UploadStarted
from events.tweets import TweetPosted
from tests.decisions.given_when_then import ALICE, BOB, NOW, TWEET, given_for

starting, adding, finishing = given_for(start_upload), given_for(add_media), given_for(finish_upload)
deleting, posting, changing = given_for(delete_media), given_for(post_tweet), given_for(change_profile)

PICTURE, OTHER = MediaId(id_at(NOW, "picture")), MediaId(id_at(NOW, "another"))
STORED = StoredFile("image/png", "finished/1.png", 1234, 40, 20)
FINISHED = MediaFinished(
    media=PICTURE,
    owner=ALICE,
    content_type="image/png",
    object="finished/1.png",
    size=1234,
    width=40,
    height=20,
    alt="wheels",
)


def attachment(media: MediaId = PICTURE, content_type: str = "image/png") -> Attachment:
    return Attachment(media=media, content_type=content_type, width=40, height=20, alt="wheels")


def medium(
    owner: AccountId = ALICE, *, stored: StoredFile | None = STORED, deleted: bool = False, **fields: Any
) -> Media:
    return Media(owner=owner, attachment=attachment(**fields), stored=stored, deleted=deleted)


def account(**profile: Any) -> Account:
    return Account(ALICE, "alice", NOW, False, Profile(display_name="Alice", **profile), 7)


def showing(field: str, picture: MediaId | None) -> ChangeProfile:
    chosen: dict[str, Any] = {field: picture}
    return ChangeProfile(ALICE, **chosen)


WAITING, DELETED = medium(stored=None), medium(deleted=True)
UNUSABLE = [
    (None, MediaNotFound),
    (medium(BOB), MediaNotFound),
    (medium(BOB, deleted=True), MediaNotFound),
    (DELETED, MediaGone),
    (WAITING, MediaUnfinished),
]


def test_an_upload_is_of_one_type_and_has_its_text_from_the_beginning() -> None:
    starting().when(StartUpload(ALICE, PICTURE, "image/png", "wheels")).then(
        UploadStarted(media=PICTURE, owner=ALICE, content_type="image/png", alt="wheels")
    )


def test_nobody_uploads_for_an_account_that_is_not_there() -> None:
    starting(exists=False).when(StartUpload(ALICE, PICTURE, "image/png")).then_refused(AccountNotFound)
    adding(exists=False).when(AddMedia(ALICE, PICTURE, STORED)).then_refused(AccountNotFound)


def test_what_comes_with_the_request_is_finished_at_once() -> None:
    adding().when(AddMedia(ALICE, PICTURE, STORED, "wheels")).then(FINISHED)


def test_finishing_tells_what_was_found_and_what_was_said_at_the_start() -> None:
    finishing(medium=WAITING).when(FinishUpload(ALICE, PICTURE, STORED)).then(FINISHED)


def test_finishing_twice_appends_nothing_and_the_first_content_stays() -> None:
    finishing(medium=medium()).when(FinishUpload(ALICE, PICTURE, STORED)).then_nothing()


@pytest.mark.parametrize(("found", "error"), [UNUSABLE[0], UNUSABLE[1], UNUSABLE[3]])
def test_what_is_unknown_anothers_or_deleted_is_not_finished(
    found: Media | None, error: type[MediaGone] | type[MediaNotFound]
) -> None:
    finishing(medium=found).when(FinishUpload(ALICE, PICTURE, STORED)).then_refused(error)


@pytest.mark.parametrize("found", [medium(), WAITING])
def test_a_medium_that_nothing_shows_is_deleted(found: Media) -> None:
    deleting(medium=found, account=account(avatar=OTHER)).when(DeleteMedia(ALICE, PICTURE)).then(
        MediaDeleted(media=PICTURE, owner=ALICE)
    )


def test_deleting_twice_appends_nothing() -> None:
    deleting(medium=DELETED).when(DeleteMedia(ALICE, PICTURE)).then_nothing()


@pytest.mark.parametrize("found", [None, medium(BOB), medium(BOB, deleted=True)])
def test_nobody_deletes_what_is_not_theirs(found: Media | None) -> None:
    deleting(medium=found).when(DeleteMedia(ALICE, PICTURE)).then_refused(MediaNotFound)


@pytest.mark.parametrize(
    "shown",
    [{"in_use": True}, {"account": account(avatar=PICTURE)}, {"account": account(header=PICTURE)}],
    ids=["tweet", "avatar", "header"],
)
def test_what_is_shown_is_not_deleted(shown: dict[str, bool] | dict[str, Account]) -> None:
    deleting(medium=medium(), **shown).when(DeleteMedia(ALICE, PICTURE)).then_refused(MediaShown)


def test_deleting_locks_whatever_could_begin_to_show_the_medium() -> None:
    locked = set(delete_media.entities(DeleteMedia(ALICE, PICTURE)))
    assert locked >= set(post_tweet.POST_TWEET.entities(PostTweet(ALICE, TWEET, "x", Entities(), media=(PICTURE,))))
    assert locked >= set(change_profile.entities(ChangeProfile(ALICE, avatar=PICTURE)))


def test_a_tweet_carries_what_is_known_of_its_media_in_the_order_chosen() -> None:
    command = PostTweet(ALICE, TWEET, "look", Entities(), media=(OTHER, PICTURE))
    (event,) = posting(author=account(), media=(medium(media=OTHER), medium())).when(command).decided()
    assert isinstance(event, TweetPosted)
    assert event.media == (attachment(OTHER), attachment(PICTURE))


@pytest.mark.parametrize(("found", "error"), UNUSABLE)
def test_a_tweet_shows_only_finished_media_of_its_author(found: Media | None, error: type[Refused]) -> None:
    command = PostTweet(ALICE, TWEET, "look", Entities(), media=(OTHER, PICTURE))
    posting(author=account(), media=(medium(media=OTHER), found)).when(command).then_refused(error)


@pytest.mark.parametrize("field", ["avatar", "header"])
def test_a_profile_shows_a_picture_until_it_is_taken_away(field: str) -> None:
    changing(account=account(), pictures=(medium(),)).when(showing(field, PICTURE)).then(
        ProfileChanged(account=ALICE, profile=Profile(display_name="Alice", **{field: PICTURE}))
    )
    shown = account(**{field: PICTURE})
    changing(account=shown).when(showing(field, None)).then(
        ProfileChanged(account=ALICE, profile=Profile(display_name="Alice"))
    )
    changing(account=shown).when(ChangeProfile(ALICE, display_name="Alice")).then_nothing()


@pytest.mark.parametrize(("found", "error"), [*UNUSABLE, (medium(content_type="video/mp4"), NotAPicture)])
def test_a_profile_shows_only_finished_pictures_of_its_own(found: Media | None, error: type[Refused]) -> None:
    changing(account=account(), pictures=(medium(), found)).when(
        ChangeProfile(ALICE, avatar=OTHER, header=PICTURE)
    ).then_refused(error)
