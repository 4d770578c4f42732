"""What every command has to be answered with and has to append, by the rules of the contract.

The command side decides the same by code of its own; where the two differ, one of them is wrong.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from events.accounts import ProfileChanged, RoleChanged
from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.event import Event
from events.graph import AccountBlocked, AccountFollowed, AccountUnblocked, AccountUnfollowed
from events.ids import millis
from events.personal import (
    AccountMuted,
    AccountUnmuted,
    BookmarkRemoved,
    NotificationRead,
    NotificationsRead,
    TweetBookmarked,
)
from events.tweets import TweetDeleted, TweetEdited, TweetPosted, TweetRef

from .model import Command, Model

EDIT_WINDOW_MS = 30 * 60 * 1000


class Wanted(NamedTuple):
    """An event that a command has to append, and the fields that are known before it does."""

    kind: type[Event]
    fields: dict[str, Any]


class Expected(NamedTuple):
    """The status of the answer, and the events appended."""

    status: int
    events: tuple[Wanted, ...] = ()


class Rules:
    """Decides commands by what the model has; a method for each verb."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def expect(self, command: Command, now: int) -> Expected:
        """What the command has to be answered with, and what it has to append."""
        decided: Expected = getattr(self, f"_{command.verb}")(command, now)
        return decided

    def _visible(self, tweet: str, viewer: str) -> int:
        """0 where an account can act on a tweet, else the status that says why not."""
        known = self.model.tweets.get(tweet)
        if known is None or self.model.apart(known.author, viewer):
            return 404
        return 410 if known.deleted else 0

    def _once(self, there: bool, kind: type[Event], **fields: Any) -> Expected:
        return Expected(204) if there else Expected(204, (Wanted(kind, fields),))

    def _on(self, c: Command, there: bool, kind: type[Event], by: str) -> Expected:
        refused = self._visible(c.tweet, c.actor)
        if refused:
            return Expected(refused)
        return self._once(there, kind, **{by: c.actor}, tweet=c.tweet, author=self.model.tweets[c.tweet].author)

    def _off(self, c: Command, there: bool, kind: type[Event], by: str) -> Expected:
        if c.tweet not in self.model.tweets:
            return Expected(404)
        return self._once(not there, kind, **{by: c.actor}, tweet=c.tweet, author=self.model.tweets[c.tweet].author)

    def _like(self, c: Command, now: int) -> Expected:
        return self._on(c, (c.actor, c.tweet) in self.model.likes, TweetLiked, "actor")

    def _unlike(self, c: Command, now: int) -> Expected:
        return self._off(c, (c.actor, c.tweet) in self.model.likes, TweetUnliked, "actor")

    def _retweet(self, c: Command, now: int) -> Expected:
        return self._on(c, (c.actor, c.tweet) in self.model.retweets, TweetRetweeted, "actor")

    def _unretweet(self, c: Command, now: int) -> Expected:
        return self._off(c, (c.actor, c.tweet) in self.model.retweets, RetweetUndone, "actor")

    def _bookmark(self, c: Command, now: int) -> Expected:
        return self._on(c, (c.actor, c.tweet) in self.model.bookmarks, TweetBookmarked, "owner")

    def _unbookmark(self, c: Command, now: int) -> Expected:
        return self._off(c, (c.actor, c.tweet) in self.model.bookmarks, BookmarkRemoved, "owner")

    def _follow(self, c: Command, now: int) -> Expected:
        pair = (c.actor, c.other)
        if c.actor == c.other:
            return Expected(422)
        if self.model.apart(*pair):
            return Expected(403)
        return self._once(pair in self.model.follows, AccountFollowed, follower=c.actor, followee=c.other)

    def _unfollow(self, c: Command, now: int) -> Expected:
        there = (c.actor, c.other) in self.model.follows
        return self._once(not there, AccountUnfollowed, follower=c.actor, followee=c.other)

    def _block(self, c: Command, now: int) -> Expected:
        if c.actor == c.other:
            return Expected(422)
        if (c.actor, c.other) in self.model.blocks:
            return Expected(204)
        ended = tuple(
            Wanted(AccountUnfollowed, {"follower": follower, "followee": followee})
            for follower, followee in ((c.other, c.actor), (c.actor, c.other))
            if (follower, followee) in self.model.follows
        )
        return Expected(204, (*ended, Wanted(AccountBlocked, {"blocker": c.actor, "blocked": c.other})))

    def _unblock(self, c: Command, now: int) -> Expected:
        there = (c.actor, c.other) in self.model.blocks
        return self._once(not there, AccountUnblocked, blocker=c.actor, blocked=c.other)

    def _mute(self, c: Command, now: int) -> Expected:
        if c.actor == c.other:
            return Expected(422)
        return self._once((c.actor, c.other) in self.model.mutes, AccountMuted, owner=c.actor, muted=c.other)

    def _unmute(self, c: Command, now: int) -> Expected:
        there = (c.actor, c.other) in self.model.mutes
        return self._once(not there, AccountUnmuted, owner=c.actor, muted=c.other)

    def _post(self, c: Command, now: int) -> Expected:
        fields: dict[str, Any] = {"author": c.actor, "text": c.text.text, "reply_to": None, "quote_of": None}
        for name, target in (("reply_to", c.reply_to), ("quote_of", c.quote_of)):
            if target is not None:
                refused = self._visible(target, c.actor)
                if refused:
                    return Expected(refused)
                fields[name] = TweetRef(self.model.tweets[target].id, self.model.tweets[target].author)  # type: ignore[arg-type]
        if c.reply_to is not None:
            fields["conversation"] = self.model.tweets[c.reply_to].conversation
        return Expected(201, (Wanted(TweetPosted, fields),))

    def _import_follow(self, c: Command, now: int) -> Expected:
        pair = (c.actor, c.other)
        if pair in self.model.follows or pair in self.model.ended or self.model.apart(*pair):
            return Expected(204)
        return Expected(201, (Wanted(AccountFollowed, {"follower": c.actor, "followee": c.other}),))

    def _profile(self, c: Command, now: int) -> Expected:
        names = self.model.profiles[c.actor]
        if c.if_version is not None and c.if_version != len(names):
            return Expected(412)
        return self._once(c.text.text == names[-1], ProfileChanged, account=c.actor)

    def _role(self, c: Command, now: int) -> Expected:
        if self.model.roles.get(c.actor, "user") == c.role:
            return Expected(204)
        return Expected(201, (Wanted(RoleChanged, {"account": c.actor, "role": c.role}),))

    def _import(self, c: Command, now: int) -> Expected:
        if c.tweet in self.model.tweets:
            return Expected(204)
        return Expected(201, (Wanted(TweetPosted, {"author": c.actor, "tweet": c.tweet, "text": c.text.text}),))

    def _edit(self, c: Command, now: int) -> Expected:
        refused = self._visible(c.tweet, c.actor)
        if refused:
            return Expected(refused)
        tweet = self.model.tweets[c.tweet]
        if tweet.author != c.actor:
            return Expected(403)
        if c.if_version is not None and c.if_version != len(tweet.texts):
            return Expected(412)
        if tweet.text.text == c.text.text:
            return Expected(204)
        if now - millis(c.tweet) > EDIT_WINDOW_MS:
            return Expected(403)
        fields = {"tweet": c.tweet, "author": c.actor, "text": c.text.text, "version": len(tweet.texts) + 1}
        return Expected(204, (Wanted(TweetEdited, fields),))

    def _delete(self, c: Command, now: int) -> Expected:
        refused = self._visible(c.tweet, c.actor)
        if refused:
            return Expected(refused)
        tweet = self.model.tweets[c.tweet]
        if tweet.author != c.actor:
            return Expected(403)
        fields = {"tweet": c.tweet, "author": c.actor, "reply_to": tweet.reply_to, "quote_of": tweet.quote_of}
        return Expected(204, (Wanted(TweetDeleted, fields),))

    def _read_one(self, c: Command, now: int) -> Expected:
        there = (c.actor, c.notification) in self.model.read or c.notification <= self.model.read_up_to.get(c.actor, "")
        return self._once(there, NotificationRead, owner=c.actor, notification=c.notification)

    def _read_all(self, c: Command, now: int) -> Expected:
        there = c.notification <= self.model.read_up_to.get(c.actor, "")
        return self._once(there, NotificationsRead, owner=c.actor, up_to=c.notification)
