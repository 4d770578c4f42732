"""One tweet as an API resource."""

from __future__ import annotations

from events.ids import AccountId, TweetId, is_id
from rest import resources
from rest.problems import ProblemError
from stores.readers import Readers

from .hydration import hydrate


async def shown_tweet(readers: Readers, viewer: AccountId | None, id_: str) -> resources.Tweet:
    """Return the tweet as `viewer` sees it. Raises a 404, also if a block hides it, and a 410 if it was deleted."""
    if is_id(id_):
        tweet = TweetId(id_)
        shown = (await hydrate(readers, viewer, (tweet,))).tweets.get(tweet)
        if shown is not None:
            return shown
        if await _gone(readers, viewer, tweet):
            raise ProblemError("gone", f"tweet {id_} was deleted")
    raise ProblemError("not-found", f"there is no tweet {id_}")


async def _gone(readers: Readers, viewer: AccountId | None, tweet: TweetId) -> bool:
    """Return whether the tweet was deleted and the viewer may know it."""
    row = (await readers.tweets.by_ids((tweet,))).get(tweet)
    if row is None or not row.deleted:
        return False
    return viewer is None or row.author not in (await readers.graph.unseen(viewer, (row.author,))).blocked
