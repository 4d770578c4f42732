"""The media read model, and the media that tweets and profiles show."""

from __future__ import annotations

from events.ids import MediaId
from stores.media import MOST_USES, Medium
from tests.community import Community
from tests.projections.projected import Projected


async def shown(community: Community) -> Projected:
    models = Projected()
    await models.apply(community.records)
    return models


async def test_a_medium_is_read_from_the_upload_to_the_deletion() -> None:
    community = Community()
    ada = community.register()
    community.media_step(ada, 4)
    (media,) = community.media[ada]
    waiting = Medium(media, ada, "image/png", "alt 4", None, None, None, None, deleted=False)
    assert await (await shown(community)).readers.media.by_id(media) == waiting
    community.media_step(ada, 1)
    ready = Medium(media, ada, "image/png", "alt 1", f"finished/{media}.png", 101, 2, 2, deleted=False)
    assert await (await shown(community)).readers.media.by_id(media) == ready
    community.media_step(ada, 3)
    gone = Medium(media, ada, "image/png", "", None, None, 2, 2, deleted=True)
    models = await shown(community)
    assert await models.readers.media.by_id(media) == gone
    assert await models.readers.media.by_id(MediaId(community.ids.issue())) is None


async def test_a_tweet_and_a_card_carry_the_media_of_their_events() -> None:
    community = Community()
    ada = community.register()
    for n in (2, 6):
        community.media_step(ada, n)
    first, second = community.media[ada].values()
    community.change_profile(ada, 1)
    tweet, without = community.post(ada, 2), community.post(ada, 0)
    assert tweet is not None
    assert without is not None
    models = await shown(community)

    assert first is not None
    tweets = await models.readers.shown_tweets.of(None, (tweet, without))
    assert (tweets[tweet].media, tweets[without].media) == ((first, second), ())
    assert {row.author.avatar for row in tweets.values()} == {first.media}
    assert (await models.readers.tweets.by_ids((tweet,)))[tweet].media == (first, second)
    community.delete(tweet)
    assert (await (await shown(community)).readers.tweets.by_ids((tweet,)))[tweet].media == ()


async def test_the_newest_tweets_that_show_a_medium_are_known_deleted_or_not() -> None:
    community = Community()
    ada = community.register()
    community.media_step(ada, 2)
    (media,) = community.media[ada]
    tweets = [community.post(ada, 1) for _ in range(MOST_USES + 2)]
    assert tweets[-1] is not None
    community.delete(tweets[-1])
    port = (await shown(community)).readers.media
    assert await port.used_in(media) == tweets[: -MOST_USES - 1 : -1]
    assert await port.used_in(MediaId(community.ids.issue())) == []
