"""The analytics group of the embedded profile, in memory: tests pass tweets in and read the derived events."""

from __future__ import annotations

import csv
import html
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from hypothesis import strategies as st

from command_api.text.entities import extract
from events.entities import Entities
from events.event import BY_CLASS, Envelope, Event
from events.ids import AccountId, EventId, HybridClock, Millis, TweetId, id_at
from events.log import New, Positions, Record, positions_after
from events.sealing import MasterKeys, Sealer
from events.tweets import TweetDeleted, TweetEdited, TweetPosted, TweetRef
from runtime.embedded.models import ALL_TABLES, readers
from runtime.embedded.processors import Processors
from stores.groups import ANALYTICS
from stores.sqlite.views import Views
from streams.stream import Stream

REAL_TWEETS = Path(__file__).parents[3] / "shared" / "data" / "airline-tweets.csv"
NOW = Millis(1_795_176_000_000)
"""2026-11-20T12:00:00Z."""
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def moment(text: str) -> Millis:
    """Return the milliseconds of a time."""
    return Millis(int(datetime.fromisoformat(text).timestamp() * 1000))


class Tweeting:
    """Creates the events of tweets, as the command side would. `now` is the time of the append."""

    def __init__(self) -> None:
        self.now = NOW
        self.ids = HybridClock(lambda: self.now, random.Random(3).randbytes)
        self.records: list[Record] = []
        self.authors: dict[TweetId, AccountId] = {}
        self.alive: dict[TweetId, Entities] = {}
        self.versions: dict[TweetId, int] = {}
        self._told = 0

    def tell(self, event: Event, time: Millis) -> Record:
        kind = BY_CLASS[type(event)]
        about = Envelope(EventId(self.ids.issue()), time)
        offset = len(self.records)
        record = Record(kind.topic, 0, offset, kind.key(event), kind.name, kind.version, event, about)
        self.records.append(record)
        return record

    def untold(self) -> list[Record]:
        """Return the events that were not taken yet."""
        records = self.records[self._told :]
        self._told = len(self.records)
        return records

    def post(
        self,
        author: str,
        text: str,
        at: int | None = None,
        *,
        reply_to: TweetRef | None = None,
        quote_of: TweetRef | None = None,
        sensitive: bool = False,
    ) -> TweetId:
        """Post a tweet at the time `at`, or now."""
        time = Millis(self.now if at is None else at)
        tweet = TweetId(id_at(time, author, str(len(self.records))))
        account = account_of(author)
        self.authors[tweet], self.versions[tweet] = account, 1
        event = TweetPosted(
            tweet=tweet,
            author=account,
            text=text,
            entities=extract(text),
            conversation=tweet,
            reply_to=reply_to,
            quote_of=quote_of,
            sensitive=sensitive,
            imported=at is not None,
        )
        self.alive[tweet] = event.entities
        self.tell(event, time)
        return tweet

    def edit(self, tweet: TweetId, text: str) -> None:
        self.versions[tweet] += 1
        event = TweetEdited(
            tweet=tweet,
            author=self.authors[tweet],
            version=self.versions[tweet],
            text=text,
            entities=extract(text),
        )
        self.alive[tweet] = event.entities
        self.tell(event, self.now)

    def delete(self, tweet: TweetId) -> None:
        del self.alive[tweet]
        self.tell(TweetDeleted(tweet=tweet, author=self.authors[tweet]), self.now)


def _history(acts: Sequence[tuple[str, int, int, str]]) -> Tweeting:
    tweeting = Tweeting()
    for act, author, hours, text in acts:
        alive = list(tweeting.alive)
        if act == "late":
            tweeting.post(f"user{author}", text, at=tweeting.now - hours * HOUR)
        elif act == "pass":
            tweeting.now = Millis(tweeting.now + hours * HOUR // 4)
        elif act == "post" or not alive:
            tweeting.post(f"user{author}", text)
        elif act == "edit":
            tweeting.edit(alive[hours % len(alive)], text)
        else:
            tweeting.delete(alive[hours % len(alive)])
    return tweeting


_ACTS = st.tuples(
    st.sampled_from(("post", "post", "late", "late", "late", "edit", "delete", "pass")),
    st.integers(0, 2),
    st.sampled_from((0, 1, 2, 5, 23, 24, 25, 48, 168, 169, 191, 192)),
    st.sampled_from(("#a", "#A #b", "#b", "#c", "none", "#a #c")),
)
HISTORIES = st.sampled_from((0, 15, 40)).flatmap(lambda n: st.lists(_ACTS, min_size=n, max_size=60)).map(_history)
"""The acts of a few authors in some days, with late tweets, edits and deletions."""


def account_of(name: str) -> AccountId:
    """Return the account with this name."""
    return AccountId(id_at(Millis(0), "account", name))


class Analytics:
    """The group, its read ports, and the events that it derived."""

    def __init__(self) -> None:
        self.views = Views(Path(":memory:"), ALL_TABLES)
        self.sealer = Sealer(MasterKeys({"test": bytes(32)}))
        self.derived: list[New] = []
        self.readers = readers(self.views.connection, self.views.names())
        self.trends, self.sentiment = self.readers.trends, self.readers.sentiment
        self.positions = Positions()
        self.restart()

    def restart(self) -> None:
        """Start again from the stored state, as the next process does."""
        self.group = Processors(self.views, self.sealer, 1).live(ANALYTICS)
        keep = self.group.keep
        assert keep is not None

        def kept(records: Sequence[New]) -> None:
            keep(records)
            self.derived.extend(records)

        self.group.keep = kept

    def replace(self, stream: type[Stream], mutant: type[Stream]) -> None:
        """Replace a stream by a subclass with a planted bug."""
        [found] = [one for one in self.group.streams if type(one) is stream]
        found.__class__ = mutant

    async def apply(self, records: Sequence[Record]) -> None:
        """Apply one batch without settling."""
        self.positions = positions_after(records, self.positions)
        await self.group.apply(records, self.positions)

    async def emit_due(self) -> None:
        """Make the streams emit the rankings that wait."""
        while await self.group.emit_due():
            pass

    async def see(self, tweeting: Tweeting) -> None:
        """Apply the events since the last call, and emit what is due."""
        await self.apply(tweeting.untold())
        await self.emit_due()

    def of(self, kind: type[Event]) -> list[New]:
        """Return the derived events of a class."""
        return [new for new in self.derived if isinstance(new.event, kind)]

    def digests(self) -> dict[str, tuple[int, str]]:
        return {model: self.views.digest(model) for model in ("sentiment", "public_tweets", "trends")}

    def close(self) -> None:
        self.views.connection.close()


def real_rows() -> Iterator[dict[str, str]]:
    """Return the rows of the real tweets, HTML entities decoded; for a tweet labelled twice its first row."""
    seen = set()
    with REAL_TWEETS.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["tweet_id"] not in seen:
                seen.add(row["tweet_id"])
                row["text"] = html.unescape(row["text"])
                yield row


def import_real(tweeting: Tweeting, rows: Iterable[dict[str, str]]) -> None:
    """Post the real tweets, each at its own time."""
    for row in rows:
        tweeting.post(row["username"].lower(), row["text"], moment(row["created_at"]))
