"""The read models of the embedded profile: each projector of the catalogue with its tables in views.db."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import apsw

from projectors.catalogue import READ_MODELS
from projectors.projector import Projector
from stores.groups import ANALYTICS, SERVING
from stores.readers import Readers
from stores.sqlite.home_feed import SqliteHomeFeed
from stores.sqlite.model import Model
from stores.sqlite.notifications import SqliteRaisedNotifications
from stores.sqlite.public_timeline import SqlitePublicTimeline
from stores.sqlite.public_tweets import SqlitePublicTweets
from stores.sqlite.recommendations import SqliteRecommendations
from stores.sqlite.shown_tweets import SqliteShownTweets
from stores.sqlite.snapshots import SqliteSnapshots
from stores.sqlite.trend_windows import SqliteTrendWindows
from streams.notifications import Notifications as NotificationsStream
from streams.public_tweets import PublicTweets as PublicTweetsStream
from streams.scoring import Scorer
from streams.sentiment import Sentiment as SentimentStream
from streams.stream import Emit, Stream
from streams.trends import Trends as TrendsStream


class ReadModel(NamedTuple):
    """A projector, and the model that stores/sqlite declares for it."""

    projector: Callable[[Any], Projector]
    declared: Model[Any, Any]

    @property
    def name(self) -> str:
        """Its name, as in `minitwitter rebuild NAME`."""
        return self.declared.tables.model


def _declared(model: str) -> Model[Any, Any]:
    found: Model[Any, Any] = import_module(f"stores.sqlite.{model}").MODEL
    return found


GROUPS: Mapping[str, tuple[ReadModel, ...]] = {
    group: tuple(
        ReadModel(listed.projector, _declared(listed.projector.model))
        for listed in READ_MODELS
        if listed.embedded == group
    )
    for group in (SERVING, ANALYTICS)
}
ALL_TABLES = tuple(model.declared.tables for models in GROUPS.values() for model in models)


class Derivation(NamedTuple):
    """A stream, and the function that makes it on the tables of `names`."""

    stream: type[Stream]
    make: Callable[[apsw.Connection, Mapping[str, str]], Callable[[Emit], Stream]]


@cache
def _scorer() -> Scorer:
    return Scorer()


STREAMS: Mapping[str, tuple[Derivation, ...]] = {
    SERVING: (
        Derivation(
            NotificationsStream,
            lambda connection, names: (
                lambda emit: NotificationsStream(emit, SqliteRaisedNotifications(connection, names))
            ),
        ),
    ),
    ANALYTICS: (
        Derivation(SentimentStream, lambda connection, names: lambda emit: SentimentStream(emit, _scorer())),
        Derivation(
            PublicTweetsStream,
            lambda connection, names: (
                lambda emit: PublicTweetsStream(emit, _scorer(), SqlitePublicTweets(connection, names))
            ),
        ),
        Derivation(
            TrendsStream,
            lambda connection, names: lambda emit: TrendsStream(emit, SqliteTrendWindows(connection, names)),
        ),
    ),
}


def projectors(models: Iterable[ReadModel], connection: apsw.Connection, names: Mapping[str, str]) -> list[Projector]:
    """Return the projectors of some read models; they write to the tables of `names`."""
    return [model.projector(model.declared.rows(connection, names)) for model in models]


def streams(
    derivations: Iterable[Derivation], connection: apsw.Connection, names: Mapping[str, str]
) -> list[Callable[[Emit], Stream]]:
    """Return the functions that make these streams; their rows are in the tables of `names`."""
    return [derivation.make(connection, names) for derivation in derivations]


def readers(connection: apsw.Connection, names: Mapping[str, str]) -> Readers:
    """Return every read port on one connection; they read the tables of `names`."""
    kept = {
        model.name: model.declared.reader(connection, names)
        for models in GROUPS.values()
        for model in models
        if model.declared.reader is not None
    }
    return Readers(
        snapshot=SqliteSnapshots(connection),
        shown_tweets=SqliteShownTweets(connection, names),
        home_feed=SqliteHomeFeed(connection, names),
        public_timeline=SqlitePublicTimeline(connection, names),
        recommendations=SqliteRecommendations(connection, names),
        **kept,
    )
