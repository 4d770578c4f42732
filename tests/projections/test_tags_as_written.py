"""A tag is shown in its most used spelling, also before trends have counted it."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import msgspec

from events.entities import Entities, Hashtag
from query_api.tags import as_written


class Trends:
    async def shown(self, tags: Any, start: int, end: int) -> dict[str, Any]:
        return {tag: SimpleNamespace(written="NorthernLights") for tag in tags if tag == "northernlights"}


@dataclasses.dataclass
class Tweets:
    """The ports of tweets and hashtags, for tweets with one tag each."""

    written: dict[str, str]
    deleted: tuple[str, ...] = ()

    async def tweets(self, tag: str, before: None, limit: int) -> Any:
        return SimpleNamespace(items=[tag] if tag in self.written else [])

    async def by_ids(self, tweets: Any) -> dict[str, Any]:
        return {tweet: self._tweet(tweet) for tweet in tweets}

    def _tweet(self, tag: str) -> Any:
        if tag in self.deleted:
            return SimpleNamespace(entities=b"", deleted=True)
        entities = Entities((Hashtag("other", 0, 6), Hashtag(self.written[tag], 7, 12)))
        return SimpleNamespace(entities=msgspec.json.encode(entities), deleted=False)


async def test_a_tag_is_shown_as_trends_have_it_else_as_its_newest_tweet_else_as_it_is() -> None:
    tweets = Tweets({"caf\u00e9": "Caf\u00c9", "northernlights": "northernlights", "gone": "Gone"}, ("gone",))
    readers: Any = SimpleNamespace(trends=Trends(), hashtags=tweets, tweets=tweets)
    shown = await as_written(readers, ["northernlights", "caf\u00e9", "gone", "never"])
    assert shown == {"northernlights": "NorthernLights", "caf\u00e9": "Caf\u00c9", "gone": "gone", "never": "never"}
    assert await as_written(readers, []) == {}
