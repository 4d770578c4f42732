"""`given = given_for(like_tweet)`, then `given(liked=True).when(LikeTweet(BOB, TWEET)).then_nothing()`."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import msgspec
import pytest

from command_api.deciding import Decided, Refused
from command_api.decision_state import fingerprint
from command_api.facts import STRANGERS, Other, Tweet
from events.event import Event
from events.ids import AccountId, ActivityId, Millis, TweetId, id_at

NOW = Millis(1_790_000_000_000)
ALICE = AccountId(id_at(Millis(NOW - 10_000_000), "alice"))
BOB = AccountId(id_at(Millis(NOW - 9_000_000), "bob"))
CAROL = AccountId(id_at(Millis(NOW - 8_000_000), "carol"))
TWEET = TweetId(id_at(NOW, "tweet"))
OTHER_TWEET = TweetId(id_at(NOW, "another tweet"))
RETWEET = ActivityId(id_at(NOW, "retweet"))


@dataclass
class When:
    """A decision about to be made."""

    decided: Callable[[], Decided]

    def then(self, *events: Event) -> None:
        """Exactly these events are appended."""
        assert list(self.decided()) == list(events)

    def then_nothing(self) -> None:
        """It is accepted and appends nothing."""
        assert list(self.decided()) == []

    def then_refused(self, error: type[Refused], match: str | None = None) -> None:
        """It is refused with this error."""
        with pytest.raises(error, match=match):
            self.decided()


@dataclass
class Given:
    """The state that a decision is made from."""

    decide: Callable[[Any, Any], Decided]
    state: Any

    def when(self, command: Any) -> When:
        """The command that is decided."""
        return When(lambda: self.decide(command, self.state))


def given_for(decision: ModuleType) -> Callable[..., Given]:
    """What begins a test of one module of command_api/domain: its fields are those of the module's State."""

    def given(**state: Any) -> Given:
        return Given(decision.decide, decision.State(**state))

    return given


def tweet_of(
    author: AccountId, id_: TweetId = TWEET, *, text: str = "as posted", deleted: bool = False, **fields: Any
) -> Tweet:
    """A tweet as decisions know it."""
    known = {"conversation": id_, "reply_to": None, "quote_of": None, "version": 1, "blocked": False} | fields
    return Tweet(id=id_, author=author, deleted=deleted, fingerprint=fingerprint(text), **known)


def related(id_: AccountId = ALICE, /, **fields: bool) -> Other:
    """An account, a stranger but for these."""
    return Other(id_, msgspec.structs.replace(STRANGERS, **fields))


__all__ = [
    "ALICE", "BOB", "CAROL", "NOW", "OTHER_TWEET", "RETWEET", "TWEET", "given_for", "related", "tweet_of",
]  # fmt: skip
