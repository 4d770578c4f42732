"""What seeded clients want: random commands that meet each other often, and how each is said over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from events.accounts import ROLES
from events.ids import id_at

from .model import Command, Model, Text

NAMES = ("ada", "bob", "cyd", "dan", "eve")
LATE_NAMES = ("fay", "gil", "hal")
"""Accounts that begin in the middle of a run, and are mentioned before that."""
WORDS = ("great", "awful", "coffee", "train", "happy", "sad", "rain", "code")
TAGS = ("News", "jazz", "Zürich")

WEIGHTS = {
    "post": 16,
    "reply": 8,
    "quote": 4,
    "import": 4,
    "import_follow": 2,
    "profile": 2,
    "role": 1,
    "edit": 5,
    "delete": 4,
    "like": 14,
    "unlike": 8,
    "retweet": 7,
    "unretweet": 4,
    "bookmark": 4,
    "unbookmark": 2,
    "follow": 12,
    "unfollow": 6,
    "block": 3,
    "unblock": 3,
    "mute": 2,
    "unmute": 3,
    "read_one": 3,
    "read_all": 2,
}
_ON_TWEETS = frozenset(
    {"edit", "delete", "like", "unlike", "retweet", "unretweet", "bookmark", "unbookmark", "reply", "quote"}
)
_BACK = {"unlike": "likes", "unretweet": "retweets", "unbookmark": "bookmarks"}
_APART = {"unfollow": "follows", "unblock": "blocks", "unmute": "mutes"}


class Said(NamedTuple):
    """A command as a request."""

    method: str
    path: str
    body: dict[str, object] | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Clients:
    """Draws commands. Most are about few accounts and the newest tweets, and many take back what was done."""

    def __init__(self, chance: Random, model: Model) -> None:
        self._chance = chance
        self._model = model
        self._imports = 0
        self.seen: dict[str, list[str]] = {}
        """Notifications that each account was shown."""

    def wave(self, now: int) -> list[Command]:
        """Commands that are sent at once; now and then an act and its undoing, or several about one tweet."""
        chance = self._chance
        commands = [self.command(now) for _ in range(chance.choice((1, 1, 1, 2, 3, 4)))]
        if chance.random() < 0.12 and (tweet := self._tweet()) is not None:
            author = self._model.tweets[tweet].author
            commands = [self._about(chance.choice(("edit", "edit", "delete")), author, tweet), *commands]
            commands.append(self._about(chance.choice(("edit", "like", "reply")), author, tweet))
        first = commands[0]
        opposite = first.verb.removeprefix("un") if first.verb.startswith("un") else f"un{first.verb}"
        if chance.random() < 0.25 and opposite in WEIGHTS:
            commands.insert(1, Command(opposite, first.actor, tweet=first.tweet, other=first.other))
        return commands

    def command(self, now: int) -> Command:
        """Something that an account wants."""
        chance = self._chance
        verb = chance.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))[0]
        actor = self._account()
        if verb in _ON_TWEETS:
            tweet = self._tweet()
            if tweet is None:
                verb = "post"
            elif verb in ("edit", "delete") and chance.random() < 0.9:
                actor = self._model.tweets[tweet].author
            there: Sequence[tuple[str, str]] = sorted(getattr(self._model, _BACK[verb])) if verb in _BACK else ()
            if there and chance.random() < 0.8:
                actor, tweet = chance.choice(there)
            if tweet is not None:
                return self._about(verb, actor, tweet)
        if verb == "import":
            return self._import(actor, now)
        if verb in ("read_one", "read_all"):
            return self._read(verb, actor, now)
        if verb == "import_follow":
            return self._import_follow(now)
        if verb == "profile":
            version = chance.choice((None, None, len(self._model.profiles[actor]), 1))
            return Command(verb, actor, text=Text(chance.choice(WORDS)), if_version=version)
        if verb == "role":
            return Command(verb, actor, role=chance.choice(ROLES))
        if verb in ("post", "reply", "quote"):
            return Command("post", actor, text=self.text())
        pairs: Sequence[tuple[str, str]] = sorted(getattr(self._model, _APART[verb])) if verb in _APART else ()
        if verb == "block":
            pairs = [(followee, follower) for follower, followee in sorted(self._model.follows)]
        if pairs and chance.random() < 0.8:
            actor, other = chance.choice(pairs)
            return Command(verb, actor, other=other)
        return Command(verb, actor, other=self._account())

    def _about(self, verb: str, actor: str, tweet: str) -> Command:
        if verb == "reply":
            return Command("post", actor, text=self.text(), reply_to=tweet)
        if verb == "quote":
            return Command("post", actor, text=self.text(), quote_of=tweet)
        if verb == "edit":
            present = len(self._model.tweets[tweet].texts)
            version = self._chance.choice((None, None, present, max(1, present - 1), present + 1))
            text = self._model.tweets[tweet].text if self._chance.random() < 0.1 else self.text()
            return Command("edit", actor, tweet=tweet, text=text, if_version=version)
        return Command(verb, actor, tweet=tweet)

    def _account(self) -> str:
        return self._chance.choice(list(self._model.accounts.values()))

    def _tweet(self) -> str | None:
        tweets = sorted(self._model.tweets)
        if not tweets:
            return None
        return self._chance.choice(tweets[-6:] if self._chance.random() < 0.8 else tweets)

    def _import(self, actor: str, now: int) -> Command:
        """A tweet from the past: minutes, or days."""
        self._imports += self._chance.random() < 0.8
        source = f"row-{self._imports}"
        at = now - Random(source).choice((10_000, 600_000, 5_000_000, 90_000_000, 400_000_000))
        for tweet in self._model.tweets.values():
            if tweet.id == id_at(tweet.time, "tweet", source):  # type: ignore[arg-type]
                return Command(
                    "import", tweet.author, tweet=tweet.id, text=tweet.texts[0], at=tweet.time, source=source
                )
        return Command("import", actor, tweet=id_at(at, "tweet", source), text=self.text(), at=at, source=source)  # type: ignore[arg-type]

    def _import_follow(self, now: int) -> Command:
        """A follow from last week, or from so long ago that nobody wants to be told."""
        actor, other = self._chance.sample(list(self._model.accounts.values()), 2)
        return Command("import_follow", actor, other=other, at=now - self._chance.choice((600_000_000, 4_000_000_000)))

    def _read(self, verb: str, actor: str, now: int) -> Command:
        seen = self.seen.get(actor) or [id_at(now - 1000, "nothing")]  # type: ignore[arg-type]
        return Command(verb, actor, notification=self._chance.choice(seen))

    def text(self) -> Text:
        """Some words, with a tag or a mention at times, also of somebody who is not there yet."""
        chance = self._chance
        words = tuple(chance.sample(WORDS, chance.randrange(1, 4)))
        tags = tuple(chance.sample(TAGS, chance.choice((0, 0, 1, 1, 2))))
        names = tuple(chance.sample(NAMES + LATE_NAMES, chance.choice((0, 0, 0, 1, 2))))
        parts = [*words, *(f"#{tag}" for tag in tags), *(f"@{name}" for name in names)]
        return Text(" ".join(parts), words, tags, names)


def said(command: Command, name_of: dict[str, str]) -> Said:
    """The request that says a command; `name_of` has the accounts' names."""
    c = command
    tweet = f"/tweets/{c.tweet}"
    match c.verb:
        case "post":
            body: dict[str, object] = {"text": c.text.text}
            body |= {k: v for k, v in (("reply_to", c.reply_to), ("quote_of", c.quote_of)) if v is not None}
            return Said("POST", "/tweets", body)
        case "edit":
            return Said("PATCH", tweet, {"text": c.text.text}, _if_match(c))
        case "delete":
            return Said("DELETE", tweet)
        case "profile":
            return Said("PATCH", "/users/me", {"display_name": c.text.text}, _if_match(c))
        case "like" | "retweet" | "bookmark":
            return Said("POST", f"{tweet}/{c.verb}")
        case "unlike" | "unretweet" | "unbookmark":
            return Said("DELETE", f"{tweet}/{c.verb.removeprefix('un')}")
        case "follow" | "block" | "mute":
            return Said("POST", f"/users/{name_of[c.other]}/{c.verb}")
        case "unfollow" | "unblock" | "unmute":
            return Said("DELETE", f"/users/{name_of[c.other]}/{c.verb.removeprefix('un')}")
        case "read_one":
            return Said("POST", f"/notifications/{c.notification}/read")
        case "read_all":
            return Said("POST", "/notifications/read", {"up_to": c.notification})
    raise AssertionError(f"{c.verb} is not said over HTTP")


def _if_match(command: Command) -> tuple[tuple[str, str], ...]:
    """The tag of the version that was seen; its digest is not looked at."""
    return () if command.if_version is None else (("if-match", f'"v{command.if_version}-{0:016x}"'),)
