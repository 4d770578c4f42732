"""Sentiment over time: GET /sentiment. It answers with `as_of` and does not wait for Consistency-Tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from fastapi import Query, Response

from events.entities import fold_tag
from events.ids import AccountId
from rest import resources
from rest.authentication import Viewer
from rest.openapi import answers
from rest.problems import FieldError, ProblemError
from rest.route_problems import problems
from rest.routing import A_TIME, Anyone, json_response, router
from rest.times import rfc3339
from stores.readers import Readers
from stores.sentiment import Subject, about_mention, about_tag

from ..serving import PEOPLE, Querying, Reading, reads
from ..time_series import range_of
from .users import shown_account

sentiment = router("Sentiment")


class Mood(msgspec.Struct, frozen=True):
    """The sentiment of the tweets of one step. `mean` is in [-1, 1], null if there are none."""

    start: resources.Time
    """When the step begins."""
    count: int
    """The number of scored tweets."""
    positive: int
    """The number of positive tweets."""
    neutral: int
    """The number of neutral tweets."""
    negative: int
    """The number of negative tweets."""
    mean: float | None
    """The mean of their scores, in [-1, 1]; null if there are none."""


class Series(msgspec.Struct, frozen=True):
    """Sentiment over time, one item per step, oldest first. `as_of` is the append time of the newest counted event."""

    as_of: resources.Time | None
    """When the newest counted event was appended; null if there is none."""
    step: str
    """The length of a step."""
    items: Sequence[Mood]
    """An item for each step, oldest first."""


@sentiment.get("/sentiment", response_model=None)
@answers(Series)
@problems("not-found")
@reads("sentiment", "trends", *PEOPLE)
async def get_sentiment(
    viewer: Anyone,
    queries: Querying,
    readers: Reading,
    tag: Annotated[str | None, Query(description="Tweets with this tag", min_length=1, max_length=280)] = None,
    mention: Annotated[
        str | None,
        Query(description="Tweets that mention this name, even if no account has it", min_length=1, max_length=40),
    ] = None,
    author: Annotated[
        str | None, Query(description="Tweets of the account with this name", min_length=1, max_length=40)
    ] = None,
    since: Annotated[
        str | None,
        Query(alias="from", description="Default: 24 steps ago", max_length=40, json_schema_extra=A_TIME),
    ] = None,
    until: Annotated[
        str | None, Query(alias="to", description="Default: now", max_length=40, json_schema_extra=A_TIME)
    ] = None,
    step: Annotated[Literal["5m", "15m", "1h", "6h", "1d"], Query(description="The length of a step")] = "1h",
) -> Response:
    """Get the sentiment of tweets over time: by tag, by mention or by author, one of the three.

    Steps are whole steps in UTC, 1,000 at most, and include steps without tweets. A tweet counts at the time it was
    posted, with its present text. A block by the mentioned account does not hide the sentiment by mention, because
    other accounts wrote the tweets; the search does not hide them either. The sentiment by an author who blocks you is
    not found.
    """
    subject = await _subject(readers, viewer, tag, mention, author)
    start, end, length = range_of(since, until, step, queries.now())
    as_of = await readers.trends.as_of()
    found = await readers.sentiment.series(subject, start, end, length)
    items = [Mood(rfc3339(m.start), m.tweets, m.positive, m.neutral, m.negative, m.mean) for m in found]
    return json_response(Series(None if as_of is None else rfc3339(as_of), step, items))


async def _subject(
    readers: Readers, viewer: Viewer | None, tag: str | None, mention: str | None, author: str | None
) -> Subject:
    given = [value for value in (tag, mention, author) if value is not None]
    if len(given) != 1:
        detail = "give exactly one of tag, mention and author"
        errors = tuple(FieldError(field, "one-of", detail) for field in ("tag", "mention", "author"))
        raise ProblemError("invalid-value", detail, errors=errors)
    if tag is not None:
        return about_tag(fold_tag(tag.lstrip("#＃")))
    if mention is not None:
        return about_mention(mention.lstrip("@＠").lower())
    assert author is not None
    return AccountId((await shown_account(readers, viewer, author.removeprefix("@"))).user.id)
