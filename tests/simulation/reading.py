"""What every GET has to answer: the questions a viewer may ask, each with the answer that follows from the model.

Answers are compared in short: who, what, how often, in which order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple
from urllib.parse import quote

from .clients import TAGS, WORDS
from .model import Activity, Model, Tweet

Short = Callable[[Any], object]


class Question(NamedTuple):
    """A GET. `answer` is a status where it is to be refused; `pages` says that it is a list, asked for in pages."""

    path: str
    answer: Callable[[], object]
    short: Short
    pages: bool = True


def every_question(model: Model, viewer: str) -> Iterator[Question]:
    """Everything that `viewer` can ask of what honours Consistency-Tokens."""
    yield Question("/feed", partial(feed_of, model, viewer), feed_item)
    yield Question("/bookmarks", partial(_marked, model, viewer, model.bookmarks, viewer), tweet)
    yield Question("/users/me/blocks", partial(_by_time, model.blocks, viewer), _id)
    yield Question("/users/me/mutes", partial(_by_time, model.mutes, viewer), _id)
    yield Question("/notifications", partial(notifications_of, model, viewer), notification)
    yield Question("/notifications/unread-count", partial(unread_of, model, viewer), itemgetter("count"), pages=False)
    yield Question("/public", partial(_offered, model, viewer, lambda t: t.reply_to is None or t.thread), tweet)
    for tag in TAGS:
        path = f"/hashtags/{quote(tag)}/tweets"
        yield Question(path, partial(_offered, model, viewer, partial(_tagged, tag)), tweet)
    for word in WORDS[:3]:
        path = f"/search/tweets?q={word}"
        yield Question(path, partial(_offered, model, viewer, partial(_worded, word)), tweet)
    for name, account in model.accounts.items():
        yield from about_account(model, viewer, name, account)
    newest_first = sorted(model.tweets, reverse=True)
    for one in newest_first[:8] + newest_first[8:][-2:]:
        yield from about_tweet(model, viewer, model.tweets[one])


def about_account(model: Model, viewer: str, name: str, account: str) -> Iterator[Question]:
    """The profile of an account and its lists."""
    path = f"/users/{name}"
    if (account, viewer) in model.blocks:
        yield Question(path, lambda: 404, _id, pages=False)
        return
    yield Question(path, partial(profile_of, model, viewer, account), profile, pages=False)
    yield Question(f"{path}/followers", partial(_seen, model, viewer, _turned(model.follows), account), _id)
    yield Question(f"{path}/following", partial(_seen, model, viewer, model.follows, account), _id)
    liked: dict[tuple[str, str], str] = {} if model.apart(viewer, account) else model.likes
    yield Question(f"{path}/likes", partial(_marked, model, viewer, liked, account), tweet)
    yield Question(f"{path}/tweets", partial(timeline_of, model, viewer, account), feed_item)


def about_tweet(model: Model, viewer: str, one: Tweet) -> Iterator[Question]:
    """A tweet and the lists about it."""
    path = f"/tweets/{one.id}"
    if model.apart(viewer, one.author) or one.deleted:
        status = 404 if model.apart(viewer, one.author) else 410
        yield Question(path, lambda: status, _id, pages=False)
        return
    yield Question(path, partial(tweet_of, model, viewer, one.id), tweet, pages=False)
    yield Question(f"{path}/history", lambda: [text.text for text in one.texts], _texts, pages=False)
    yield Question(f"{path}/likes", partial(_seen, model, viewer, _turned(model.likes), one.id), _id)
    quoting = partial(_offered, model, viewer, lambda t: t.quote_of is not None and t.quote_of.tweet == one.id)
    yield Question(f"{path}/quotes", quoting, tweet)
    nested = partial(_nested, model, viewer, one.id)
    yield Question(f"{path}/conversation?limit=100", nested, _nested_in, pages=False)


# Answers in short, from what was sent and from the model


def _id(body: Any) -> object:
    return body["id"]


def tweet(body: Any) -> object:
    """A tweet as it was sent."""
    mentions = {m["username"]: m["account"] for m in body["entities"]["mentions"] if m["account"] is not None}
    reply, quoted = body["reply_to"], body["quote"]
    return (
        body["id"],
        body["author"]["id"],
        body["text"],
        body["version"],
        body["conversation_id"],
        sorted(mentions.items()),
        None if reply is None else reply["id"],
        None if quoted is None else (quoted["id"], quoted["tweet"] is not None),
        tuple(body["counts"].values()),
        tuple(body["viewer"].values()),
    )


def tweet_of(model: Model, viewer: str, id_: str) -> object:
    """The same from the model."""
    one = model.tweets[id_]
    quoted = None
    if one.quote_of is not None:
        inner = model.tweets[one.quote_of.tweet]
        quoted = (inner.id, not inner.deleted and not model.hidden(viewer, inner.author))
    return (
        id_,
        one.author,
        one.text.text,
        len(one.texts),
        one.conversation,
        sorted(one.mentioned.items()),
        None if one.reply_to is None else one.reply_to.tweet,
        quoted,
        counts_of(model, id_),
        tuple((viewer, id_) in marks for marks in (model.likes, model.retweets, model.bookmarks)),
    )


def counts_of(model: Model, id_: str) -> tuple[int, ...]:
    """Replies, retweets, quotes, likes, bookmarks: the sizes of the sets that they count."""
    there = [t for t in model.tweets.values() if not t.deleted]
    return (
        sum(t.reply_to is not None and t.reply_to.tweet == id_ for t in there),
        sum(tweet == id_ for _, tweet in model.retweets),
        sum(t.quote_of is not None and t.quote_of.tweet == id_ for t in there),
        sum(tweet == id_ for _, tweet in model.likes),
        sum(tweet == id_ for _, tweet in model.bookmarks),
    )


def feed_item(body: Any) -> object:
    """An item of a feed as it was sent."""
    return (tweet(body["tweet"]), body["reason"]["kind"], body["reason"]["by"]["id"])


def _activities(model: Model, viewer: str, activities: list[Activity]) -> list[object]:
    return [(tweet_of(model, viewer, a.tweet), "retweeted" if a.retweet else "posted", a.by) for a in activities]


def feed_of(model: Model, viewer: str) -> list[object]:
    """The home feed from the model."""
    return _activities(model, viewer, model.feed(viewer))


def timeline_of(model: Model, viewer: str, account: str) -> list[object]:
    """What an account posted and passed on, from the model; its replies to others are not asked for."""
    own = [a for _, a in sorted(model.activities.items(), reverse=True) if a.by == account]
    shown = [
        a
        for a in own
        if not model.apart(viewer, account)
        and _shown(model, viewer, a.tweet)
        and (model.tweets[a.tweet].author == account or (viewer, model.tweets[a.tweet].author) not in model.mutes)
        and (a.reply_to is None or a.reply_to == account)
    ]
    return _activities(model, viewer, shown)


def profile(body: Any) -> object:
    """A profile as it was sent."""
    viewer = None if body["viewer"] is None else tuple(body["viewer"].values())
    return (
        body["id"],
        body["display_name"],
        body["role"],
        body["followers_count"],
        body["following_count"],
        body["tweets_count"],
        viewer,
    )


def profile_of(model: Model, viewer: str, account: str) -> object:
    """The same from the model."""
    relation = None
    if viewer != account:
        pair, back = (viewer, account), (account, viewer)
        relation = (pair in model.follows, back in model.follows, pair in model.blocks, pair in model.mutes)
    return (
        account,
        model.profiles[account][-1],
        model.roles.get(account, "user"),
        sum(followee == account for _, followee in model.follows),
        sum(follower == account for follower, _ in model.follows),
        sum(t.author == account and not t.deleted for t in model.tweets.values()),
        relation,
    )


def notification(body: Any) -> object:
    """An item of the notifications as it was sent."""
    return (
        body["kind"],
        None if body["tweet"] is None else body["tweet"]["id"],
        [actor["id"] for actor in body["actors"]],
        body["read"],
    )


def notifications_of(model: Model, viewer: str) -> list[tuple[Any, ...]]:
    """The same from the model: what is raised and not hidden, likes and retweets of a tweet as one, newest first."""
    items: dict[object, tuple[Any, ...]] = {}
    for raised in sorted(model.raised, key=lambda r: r.id, reverse=True):
        if raised.recipient != viewer or model.hidden(viewer, raised.actor):
            continue
        if raised.tweet is not None and model.tweets[raised.tweet].deleted:
            continue
        group: object = (raised.kind, raised.tweet) if raised.kind in ("like", "retweet") else raised.id
        read = (viewer, raised.id) in model.read or raised.id <= model.read_up_to.get(viewer, "")
        items.setdefault(group, (raised.kind, raised.tweet, [], read))[2].append(raised.actor)
    return list(items.values())


def unread_of(model: Model, viewer: str) -> int:
    """How many of the items shown are unread."""
    return sum(not read for *_, read in notifications_of(model, viewer))


def _by_time(pairs: dict[tuple[str, str], str], first: str) -> list[str]:
    """The seconds of the pairs with this first, the newest first."""
    return [b for _, b in sorted(((at, b) for (a, b), at in pairs.items() if a == first), reverse=True)]


def _tagged(tag: str, one: Tweet) -> bool:
    return tag in one.text.tags


def _worded(word: str, one: Tweet) -> bool:
    return word in one.text.words


def _turned(pairs: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    return {(b, a): at for (a, b), at in pairs.items()}


def _seen(model: Model, viewer: str, pairs: dict[tuple[str, str], str], first: str) -> list[str]:
    return [account for account in _by_time(pairs, first) if not model.apart(viewer, account)]


def _shown(model: Model, viewer: str, id_: str) -> bool:
    return not model.tweets[id_].deleted and not model.apart(viewer, model.tweets[id_].author)


def _marked(model: Model, viewer: str, pairs: dict[tuple[str, str], str], first: str) -> list[object]:
    """Tweets that somebody chose: those of muted authors are shown."""
    return [tweet_of(model, viewer, id_) for id_ in _by_time(pairs, first) if _shown(model, viewer, id_)]


def _offered(model: Model, viewer: str, wanted: Callable[[Tweet], bool]) -> list[object]:
    """Tweets that are put before the viewer, newest first."""
    return [
        tweet_of(model, viewer, id_)
        for id_, one in sorted(model.tweets.items(), reverse=True)
        if wanted(one) and not one.deleted and not model.hidden(viewer, one.author)
    ]


def _nested(model: Model, viewer: str, id_: str) -> list[object]:
    """The replies beneath a tweet, oldest first: (tweet or None, what is beneath it)."""
    nested: list[object] = []
    for one in sorted(model.tweets.values(), key=lambda t: t.id):
        if one.reply_to is not None and one.reply_to.tweet == id_:
            beneath = _nested(model, viewer, one.id)
            shown = not one.deleted and not model.hidden(viewer, one.author)
            if shown or beneath:
                nested.append((one.id if shown else None, beneath))
    return nested


def _nested_in(body: Any) -> list[object]:
    return [(r["tweet"] and r["tweet"]["id"], _nested_in(r)) for r in body["replies"]]


def _texts(body: Any) -> list[object]:
    return [version["text"] for version in body["items"]]
