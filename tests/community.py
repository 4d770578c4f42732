"""A small community: what is so in it, and the events that tell it, as the command side would have written them.

What cannot be done now is not done and tells nothing. For tests of whatever folds events (tests/histories.py lets
hypothesis choose what happens).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from command_api.domain.mentions import resolve_mentions
from command_api.text.entities import extract
from events.accounts import (
    ROLES,
    AccountClaimed,
    AccountRegistered,
    PasswordChanged,
    Profile,
    ProfileChanged,
    Role,
    RoleChanged,
)
from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.entities import Entities
from events.event import BY_CLASS, Envelope, Event
from events.graph import AccountBlocked, AccountFollowed, AccountUnblocked, AccountUnfollowed
from events.ids import (
    AccountId,
    ActivityId,
    EventId,
    HybridClock,
    MediaId,
    Millis,
    NotificationId,
    SessionId,
    TweetId,
    id_at,
)
from events.log import Record
from events.media import Attachment, MediaDeleted, MediaFinished, UploadStarted
from events.personal import (
    AccountMuted,
    AccountUnmuted,
    BookmarkRemoved,
    NotificationsRead,
    SessionEnded,
    SessionStarted,
    TweetBookmarked,
)
from events.tweets import Place, TweetDeleted, TweetEdited, TweetPosted, TweetRef
from tests.written import TEXTS, Written

START = Millis(1_750_000_000_000)
HOUR = 3_600_000

Moment = tuple[Millis, EventId]


@dataclass(repr=False)
class Community:
    """What is so, and the records that tell it, in the order in which it came to be."""

    accounts: list[AccountId] = field(default_factory=list)
    profiles: dict[AccountId, Profile] = field(default_factory=dict)
    roles: dict[AccountId, Role] = field(default_factory=dict)
    follows: dict[tuple[AccountId, AccountId], Moment] = field(default_factory=dict)
    blocks: dict[tuple[AccountId, AccountId], Moment] = field(default_factory=dict)
    mutes: dict[tuple[AccountId, AccountId], Moment] = field(default_factory=dict)
    tweets: dict[TweetId, Written] = field(default_factory=dict)
    likes: dict[tuple[AccountId, TweetId], Moment] = field(default_factory=dict)
    retweets: dict[tuple[AccountId, TweetId], ActivityId] = field(default_factory=dict)
    bookmarks: dict[tuple[AccountId, TweetId], Moment] = field(default_factory=dict)
    sessions: list[tuple[AccountId, SessionId]] = field(default_factory=list)
    media: dict[AccountId, dict[MediaId, Attachment | None]] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now = START
        randomness = random.Random(7)
        self.ids = HybridClock(lambda: self.now, randomness.randbytes)
        self._ends: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Community: {' '.join(record.type for record in self.records)}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # what hypothesis asks for: whole records fill pages
        printer.text(repr(self))

    def tell(self, event: Event, actor: AccountId, time: Millis | None = None) -> Moment:
        """Append an event that happened at `time`, or now; the moment by which lists are ordered."""
        kind = BY_CLASS[type(event)]
        id_ = EventId(self.ids.issue())
        offset = self._ends.get(kind.topic, 0)
        self._ends[kind.topic] = offset + 1
        about = Envelope(id_, self.now if time is None else time, actor=actor)
        self.records.append(Record(kind.topic, 0, offset, kind.key(event), kind.name, kind.version, event, about))
        return about.time, id_

    def hidden(self, a: AccountId, b: AccountId) -> bool:
        """Whether a block stands between two accounts."""
        return (a, b) in self.blocks or (b, a) in self.blocks

    def visible(self, viewer: AccountId, tweet: TweetId) -> bool:
        """Whether the viewer can act on a tweet."""
        found = self.tweets[tweet]
        return not found.deleted and not self.hidden(viewer, found.author)

    # What can happen. Each takes the one who acts, and two numbers that choose on what.

    def register(self) -> AccountId:
        """A new account. Every third is an imported one, from long ago."""
        number = len(self.accounts)
        imported = number % 3 == 2
        time = Millis(self.now - 1000 * HOUR) if imported else self.now
        account = AccountId(id_at(time, "account", str(number)) if imported else self.ids.issue())
        self.accounts.append(account)
        name = f"User{number}"
        self.profiles[account] = Profile(display_name=name)
        email = None if imported else f"{name}@example.org"
        self.tell(
            AccountRegistered(account=account, username=name, display_name=name, email=email, imported=imported),
            account,
            time,
        )
        if imported:
            self.tell(AccountClaimed(account=account), account)
        return account

    def change_profile(self, actor: AccountId, n: int) -> None:
        """Another profile."""
        picture = next((a.media for a in self._finished(actor)), None) if n % 2 else None
        profile = Profile(display_name=f"Name {n}", bio="bio" * (n % 3), feed=("latest", "top")[n % 2], avatar=picture)
        if profile != self.profiles[actor]:
            self.profiles[actor] = profile
            self.tell(ProfileChanged(account=actor, profile=profile), actor)

    def change_role(self, actor: AccountId, n: int) -> None:
        """Another role."""
        role = ROLES[n % len(ROLES)]
        if role != self.roles.get(actor, "user"):
            self.roles[actor] = role
            self.tell(RoleChanged(account=actor, role=role), actor)

    def change_password(self, actor: AccountId) -> None:
        """Another password."""
        self.tell(PasswordChanged(account=actor), actor)

    def _finished(self, owner: AccountId) -> list[Attachment]:
        return [attachment for attachment in self.media.get(owner, {}).values() if attachment is not None]

    def media_step(self, actor: AccountId, n: int) -> None:
        """An upload begins, or is finished, or a medium comes at once, or one is deleted that nothing has to show."""
        own = self.media.setdefault(actor, {})
        waiting = [media for media, attachment in own.items() if attachment is None]
        if n % 4 == 3 and own:
            media = list(own)[n % len(own)]
            del own[media]
            self.tell(MediaDeleted(media=media, owner=actor), actor)
        elif n % 4 == 0:
            media = MediaId(self.ids.issue())
            own[media] = None
            self.tell(UploadStarted(media=media, owner=actor, content_type="image/png", alt=f"alt {n}"), actor)
        else:
            media = waiting[0] if waiting and n % 4 == 1 else MediaId(self.ids.issue())
            own[media] = a = Attachment(media=media, content_type="image/png", width=n + 1, height=2, alt=f"alt {n}")
            event = MediaFinished(
                media=media,
                owner=actor,
                content_type=a.content_type,
                object=f"finished/{media}.png",
                size=100 + n,
                width=a.width,
                height=a.height,
                alt=a.alt,
            )
            self.tell(event, actor)

    def follow(self, actor: AccountId, other: AccountId) -> None:
        """Follow; every now and then one that began long ago is imported."""
        if actor != other and (actor, other) not in self.follows and not self.hidden(actor, other):
            time = Millis(self.now - 100 * HOUR) if len(self.follows) % 5 == 4 else self.now
            self.follows[actor, other] = self.tell(AccountFollowed(follower=actor, followee=other), actor, time)

    def unfollow(self, actor: AccountId, other: AccountId) -> None:
        """Unfollow."""
        if self.follows.pop((actor, other), None) is not None:
            self.tell(AccountUnfollowed(follower=actor, followee=other), actor)

    def block(self, actor: AccountId, other: AccountId) -> None:
        """Block, which ends following both ways."""
        if actor != other and (actor, other) not in self.blocks:
            for a, b in ((other, actor), (actor, other)):
                if self.follows.pop((a, b), None) is not None:
                    self.tell(AccountUnfollowed(follower=a, followee=b), actor)
            self.blocks[actor, other] = self.tell(AccountBlocked(blocker=actor, blocked=other), actor)

    def unblock(self, actor: AccountId, other: AccountId) -> None:
        """Lift a block."""
        if self.blocks.pop((actor, other), None) is not None:
            self.tell(AccountUnblocked(blocker=actor, blocked=other), actor)

    def mute(self, actor: AccountId, other: AccountId) -> None:
        """Mute."""
        if actor != other and (actor, other) not in self.mutes:
            self.mutes[actor, other] = self.tell(AccountMuted(owner=actor, muted=other), actor)

    def unmute(self, actor: AccountId, other: AccountId) -> None:
        """Unmute."""
        if self.mutes.pop((actor, other), None) is not None:
            self.tell(AccountUnmuted(owner=actor, muted=other), actor)

    def _entities(self, text: str) -> Entities:
        return resolve_mentions(extract(text), {f"user{n}": account for n, account in enumerate(self.accounts)})

    def post(
        self, actor: AccountId, n: int, reply_to: TweetId | None = None, quote_of: TweetId | None = None
    ) -> TweetId | None:
        """Post a tweet, a reply or a quote."""
        for id_ in (reply_to, quote_of):
            if id_ is not None and not self.visible(actor, id_):
                return None
        tweet = TweetId(self.ids.issue())
        conversation = tweet if reply_to is None else self.tweets[reply_to].conversation
        self._write(actor, tweet, n, conversation, self._ref(reply_to), self._ref(quote_of), None)
        return tweet

    def import_tweet(self, actor: AccountId, n: int) -> TweetId | None:
        """A tweet of long ago, imported now."""
        time = Millis(START - (n + 1) * HOUR)
        tweet = TweetId(id_at(time, "tweet", actor, str(n)))
        if tweet in self.tweets:
            return None
        self._write(actor, tweet, n, tweet, None, None, time)
        return tweet

    def _ref(self, tweet: TweetId | None) -> TweetRef | None:
        return None if tweet is None else TweetRef(tweet, self.tweets[tweet].author)

    def _write(
        self,
        actor: AccountId,
        tweet: TweetId,
        n: int,
        conversation: TweetId,
        reply_to: TweetRef | None,
        quote_of: TweetRef | None,
        time: Millis | None,
    ) -> None:
        text = TEXTS[n % len(TEXTS)]
        entities = self._entities(text)
        self.tweets[tweet] = Written(tweet, actor, [text], entities, conversation, reply_to, quote_of)
        event = TweetPosted(
            tweet=tweet,
            author=actor,
            text=text,
            entities=entities,
            conversation=conversation,
            reply_to=reply_to,
            quote_of=quote_of,
            location=Place(lat=48.2, lon=16.4, name="Vienna") if n % 7 == 0 else None,
            sensitive=n % 5 == 0,
            content_warning="spoiler" if n % 5 == 0 else None,
            imported=time is not None,
            media=tuple(self._finished(actor)[: n % 5]) if time is None else (),
        )
        self.tell(event, actor, time)

    def edit(self, tweet: TweetId, n: int) -> None:
        """Another text."""
        found = self.tweets[tweet]
        text = f"{TEXTS[n % len(TEXTS)]} ({n})"
        if not found.deleted and text != found.texts[-1]:
            found.texts.append(text)
            found.entities = self._entities(text)
            event = TweetEdited(
                tweet=tweet, author=found.author, version=len(found.texts), text=text, entities=found.entities
            )
            self.tell(event, found.author)

    def delete(self, tweet: TweetId) -> None:
        """Delete a tweet."""
        found = self.tweets[tweet]
        if not found.deleted:
            found.deleted = True
            event = TweetDeleted(tweet=tweet, author=found.author, reply_to=found.reply_to, quote_of=found.quote_of)
            self.tell(event, found.author)

    def like(self, actor: AccountId, tweet: TweetId) -> None:
        """Like."""
        if (actor, tweet) not in self.likes and self.visible(actor, tweet):
            event = TweetLiked(tweet=tweet, author=self.tweets[tweet].author, actor=actor)
            self.likes[actor, tweet] = self.tell(event, actor)

    def unlike(self, actor: AccountId, tweet: TweetId) -> None:
        """Take the like back."""
        if self.likes.pop((actor, tweet), None) is not None:
            self.tell(TweetUnliked(tweet=tweet, author=self.tweets[tweet].author, actor=actor), actor)

    def retweet(self, actor: AccountId, tweet: TweetId) -> None:
        """Pass on."""
        if (actor, tweet) not in self.retweets and self.visible(actor, tweet):
            retweet = self.retweets[actor, tweet] = ActivityId(self.ids.issue())
            author = self.tweets[tweet].author
            self.tell(TweetRetweeted(retweet=retweet, tweet=tweet, author=author, actor=actor), actor)

    def undo_retweet(self, actor: AccountId, tweet: TweetId) -> None:
        """Take the retweet back."""
        retweet = self.retweets.pop((actor, tweet), None)
        if retweet is not None:
            author = self.tweets[tweet].author
            self.tell(RetweetUndone(retweet=retweet, tweet=tweet, author=author, actor=actor), actor)

    def bookmark(self, actor: AccountId, tweet: TweetId) -> None:
        """Keep for later."""
        if (actor, tweet) not in self.bookmarks and self.visible(actor, tweet):
            event = TweetBookmarked(owner=actor, tweet=tweet, author=self.tweets[tweet].author)
            self.bookmarks[actor, tweet] = self.tell(event, actor)

    def remove_bookmark(self, actor: AccountId, tweet: TweetId) -> None:
        """Keep no longer."""
        if self.bookmarks.pop((actor, tweet), None) is not None:
            self.tell(BookmarkRemoved(owner=actor, tweet=tweet, author=self.tweets[tweet].author), actor)

    def read_notifications(self, actor: AccountId) -> None:
        """Read everything up to now."""
        self.tell(NotificationsRead(owner=actor, up_to=NotificationId(self.ids.issue())), actor)

    def sign_in(self, actor: AccountId) -> None:
        """A session begins."""
        session = SessionId(self.ids.issue())
        self.sessions.append((actor, session))
        self.tell(SessionStarted(owner=actor, session=session, user_agent="test", ip="127.0.0.1"), actor)

    def sign_out(self) -> None:
        """The oldest session ends."""
        if self.sessions:
            owner, session = self.sessions.pop(0)
            self.tell(SessionEnded(owner=owner, session=session, reason="logout"), owner)

    def act(self, action: str, a: int, b: int, n: int) -> None:
        """Let something happen, or nothing where it cannot happen now. Time passes."""
        self.now = Millis(self.now + 1 + n % 3)
        actor, other = self.accounts[a % len(self.accounts)], self.accounts[b % len(self.accounts)]
        if action in _ALONE:
            _ALONE[action](self, actor, n)
        elif action in _WITH_OTHERS:
            _WITH_OTHERS[action](self, actor, other)
        elif action in _TAKING_BACK:
            done, take_back = _TAKING_BACK[action](self)
            if done:
                take_back(*list(done)[n % len(done)])
        elif self.tweets:
            ids = list(self.tweets)
            _WITH_TWEETS[action](self, actor, ids[n % len(ids)], n)


_ALONE = {
    "register": lambda c, actor, n: c.register(),
    "post": lambda c, actor, n: c.post(actor, n),
    "import_tweet": lambda c, actor, n: c.import_tweet(actor, n),
    "media": lambda c, actor, n: c.media_step(actor, n),
    "change_profile": lambda c, actor, n: c.change_profile(actor, n),
    "change_role": lambda c, actor, n: c.change_role(actor, n),
    "change_password": lambda c, actor, n: c.change_password(actor),
    "read_notifications": lambda c, actor, n: c.read_notifications(actor),
    "sign_in": lambda c, actor, n: c.sign_in(actor),
    "sign_out": lambda c, actor, n: c.sign_out(),
}
_WITH_OTHERS = {"follow": Community.follow, "block": Community.block, "mute": Community.mute}
_TAKING_BACK: dict[str, Callable[[Community], tuple[dict[Any, Any], Callable[..., None]]]] = {
    "unfollow": lambda c: (c.follows, c.unfollow),
    "unblock": lambda c: (c.blocks, c.unblock),
    "unmute": lambda c: (c.mutes, c.unmute),
    "unlike": lambda c: (c.likes, c.unlike),
    "undo_retweet": lambda c: (c.retweets, c.undo_retweet),
    "remove_bookmark": lambda c: (c.bookmarks, c.remove_bookmark),
}
"""What is taken back is chosen among what is there."""
_WITH_TWEETS = {
    "reply": lambda c, actor, tweet, n: c.post(actor, n, reply_to=tweet),
    "quote": lambda c, actor, tweet, n: c.post(actor, n, quote_of=tweet),
    "edit": lambda c, actor, tweet, n: c.edit(tweet, n),
    "delete": lambda c, actor, tweet, n: c.delete(tweet),
    "like": lambda c, actor, tweet, n: c.like(actor, tweet),
    "retweet": lambda c, actor, tweet, n: c.retweet(actor, tweet),
    "bookmark": lambda c, actor, tweet, n: c.bookmark(actor, tweet),
}
ACTIONS = (*_ALONE, *_WITH_OTHERS, *_TAKING_BACK, *_WITH_TWEETS)
