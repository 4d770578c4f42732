"""Show hashtags in their most used spelling instead of their folded key."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import msgspec

from events.entities import Entities, fold_tag
from events.ids import Millis
from stores.readers import Readers

_EVER = Millis(253_370_764_800_000)
"""The year 9999."""
_decode = msgspec.json.Decoder(Entities).decode


async def as_written(readers: Readers, tags: Collection[str]) -> dict[str, str]:
    """Return the most used spelling of each folded tag, by its latest uses, as in trends.

    Trends may lag behind. A tag that they have not counted yet has the spelling of its newest tweet; a tag without
    tweets is returned as it is.
    """
    counted = await trending(readers, tags)
    new = [tag for tag in tags if tag not in counted]
    return {tag: tag for tag in tags} | await _newest(readers, new) | counted


async def trending(readers: Readers, tags: Collection[str]) -> dict[str, str]:
    """Return the most used spelling of each folded tag that trends have counted."""
    shown = await readers.trends.shown(tags, Millis(0), _EVER) if tags else {}
    return {tag: one.written for tag, one in shown.items()}


async def _newest(readers: Readers, tags: Sequence[str]) -> dict[str, str]:
    if not tags:
        return {}
    pages = await asyncio.gather(*(readers.hashtags.tweets(tag, None, 1) for tag in tags))
    tweets = await readers.tweets.by_ids([tweet for page in pages for tweet in page.items])
    texts = [_decode(tweet.entities) for tweet in tweets.values() if not tweet.deleted]
    found = {fold_tag(hashtag.tag): hashtag.tag for entities in texts for hashtag in entities.hashtags}
    return {tag: found[tag] for tag in tags if tag in found}
