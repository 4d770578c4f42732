"""Media in the decision state of every adapter: their state, and the uses that prevent a deletion."""

from typing import Any

import pytest

from command_api.deciding import Decision, Outcome
from command_api.domain.add_media import ADD_MEDIA, AddMedia
from command_api.domain.change_profile import CHANGE_PROFILE, ChangeProfile
from command_api.domain.delete_media import DELETE_MEDIA, DeleteMedia
from command_api.domain.delete_tweet import DELETE_TWEET, DeleteTweet
from command_api.domain.errors import MediaNotFound, MediaShown
from command_api.domain.finish_upload import FINISH_UPLOAD, FinishUpload
from command_api.domain.start_upload import START_UPLOAD, StartUpload
from command_api.facts import Media, MediaInUse, MediaOf, StoredFile
from events.ids import MediaId
from events.media import Attachment
from tests.contracts.commands import ALICE, BOB, SAY, System, by, posted, settle

STORED = StoredFile("image/png", "finished/1.png", 1234, 40, 20)


async def do(system: System, decision: Decision[Any, Any], command: Any) -> Outcome:
    return await system.store.execute(decision, command, by(command.actor), SAY)


async def added(system: System) -> MediaId:
    """A finished medium of Alice's."""
    media = MediaId(system.ids.issue())
    await do(system, ADD_MEDIA, AddMedia(ALICE, media, STORED, "wheels"))
    return media


async def known(system: System, media: MediaId) -> Media | None:
    return (await system.store.ask(MediaOf(media)))[MediaOf(media)]


async def test_a_medium_is_known_from_the_upload_to_the_deletion(system: System) -> None:
    await settle(system)
    media = MediaId(system.ids.issue())
    assert await known(system, media) is None
    await do(system, START_UPLOAD, StartUpload(ALICE, media, "image/png", "wheels"))
    waiting = Attachment(media=media, content_type="image/png", alt="wheels")
    assert await known(system, media) == Media(ALICE, waiting, None, False)
    await do(system, FINISH_UPLOAD, FinishUpload(ALICE, media, STORED))
    there = Attachment(media=media, content_type="image/png", width=40, height=20, alt="wheels")
    assert await known(system, media) == Media(ALICE, there, STORED, False)
    await do(system, DELETE_MEDIA, DeleteMedia(ALICE, media))
    gone = await known(system, media)
    assert gone is not None
    assert gone.stored is not None
    assert gone.attachment is not None
    assert (gone.owner, gone.stored.object, gone.deleted, gone.attachment.alt) == (ALICE, STORED.object, True, "")


async def test_a_medium_is_in_use_while_a_tweet_that_is_there_shows_it(system: System) -> None:
    await settle(system)
    media = await added(system)
    tweets = [await posted(system, ALICE, f"tweet {n}", media=(media,)) for n in range(2)]
    for tweet in tweets:
        assert (await system.store.ask(MediaInUse(media)))[MediaInUse(media)]
        with pytest.raises(MediaShown):
            await do(system, DELETE_MEDIA, DeleteMedia(ALICE, media))
        await do(system, DELETE_TWEET, DeleteTweet(ALICE, tweet))
    assert not (await system.store.ask(MediaInUse(media)))[MediaInUse(media)]
    await do(system, DELETE_MEDIA, DeleteMedia(ALICE, media))


async def test_a_medium_of_a_profile_is_in_use(system: System) -> None:
    await settle(system)
    media = await added(system)
    await do(system, CHANGE_PROFILE, ChangeProfile(ALICE, avatar=media))
    with pytest.raises(MediaShown):
        await do(system, DELETE_MEDIA, DeleteMedia(ALICE, media))
    await do(system, CHANGE_PROFILE, ChangeProfile(ALICE, avatar=None))
    await do(system, DELETE_MEDIA, DeleteMedia(ALICE, media))


async def test_a_medium_of_another_account_cannot_be_used(system: System) -> None:
    await settle(system)
    media = await added(system)
    with pytest.raises(MediaNotFound):
        await posted(system, BOB, "mine?", media=(media,))
    with pytest.raises(MediaNotFound):
        await do(system, CHANGE_PROFILE, ChangeProfile(BOB, header=media))
