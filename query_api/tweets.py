"""One tweet as it is sent, and lists about it."""

from __future__ import annotations

from events.ids import AccountId, TweetId, is_id
from rest import resources
from rest.problems import ProblemError
from stores.readers import Readers

from .hydration import hydrate


async def shown_tweet(readers: Readers, viewer: AccountId | None, id_: str) -> resources.Tweet:
    """The tweet as `viewer` sees it. Raises a 404 (past a block too: it hides that it is there), a 410."""
    if is_id(id_):
        tweet = TweetId(id_)
        shown = (await hydrate(readers, viewer, (tweet,))).tweets.get(tweet)
        if shown is not None:
            return shown
        if await _gone(readers, viewer, tweet):
            raise ProblemError("gone", f"tweet {id_} was deleted")
    raise ProblemError("not-found", f"there is no tweet {id_}")


async def _gone(readers: Readers, viewer: AccountId | None, tweet: TweetId) -> bool:
    """Whether there was such a tweet, and the viewer may know."""
    row = (await readers.tweets.by_ids((tweet,))).get(tweet)
    if row is None or not row.deleted:
        return False
    return viewer is None or row.author not in (await readers.graph.unseen(viewer, (row.author,))).blocked
