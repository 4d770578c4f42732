"""The catalogue of streams, and how the embedded profile makes them."""

from __future__ import annotations

from events.event import BY_CLASS
from events.topics import DERIVED
from projectors.sentiment import Sentiment as SentimentModel
from runtime.embedded import models
from runtime.embedded.processors import Processors
from stores.groups import ANALYTICS
from streams import catalogue
from tests.streams.analytics import Analytics


def test_every_derived_topic_has_one_stream() -> None:
    assert sorted(stream.name for stream in catalogue.ALL) == sorted(DERIVED)


def test_every_stream_of_the_catalogue_is_made() -> None:
    for group, derivations in models.STREAMS.items():
        listed = [one.stream for one in catalogue.DERIVATIONS if one.embedded == group]
        assert [made.stream for made in derivations] == listed


def test_streams_handle_what_is_in_the_log_and_nothing_derived() -> None:
    for stream in catalogue.ALL:
        assert stream.handlers
        assert not {BY_CLASS[event].topic for event in stream.handlers} & set(DERIVED)


def _rebuilt(model: str) -> list[str]:
    analytics = Analytics()
    try:
        connection = analytics.views.connection
        with connection:
            analytics.views.create(model, 2)
        processors = Processors(analytics.views, analytics.sealer, 1)
        return [stream.name for stream in processors.rebuilt(ANALYTICS, {model: 2}, "rebuild:1").streams]
    finally:
        analytics.close()


def test_a_rebuild_runs_the_streams_that_feed_the_model_or_keep_rows_in_it_and_no_others() -> None:
    assert SentimentModel.topics() == {"sentiment"}
    assert _rebuilt("sentiment") == ["sentiment"]
    assert _rebuilt("trends") == ["trends"]
    assert _rebuilt("public_tweets") == []
