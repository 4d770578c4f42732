"""Sentiment over time: GET /sentiment. It says `as_of` when, and waits for no Consistency-Token."""

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
    """How the tweets of a step read. `mean` is in [-1, 1], null where there are none."""

    start: resources.Time
    """When it begins."""
    count: int
    """How many tweets were scored."""
    positive: int
    """How many of them read so."""
    neutral: int
    """How many of them read so."""
    negative: int
    """How many of them read so."""
    mean: float | None
    """The mean of their scores, in [-1, 1]; null where there are none."""


class Series(msgspec.Struct, frozen=True):
    """Sentiment over time, oldest first, a step each. `as_of` is when the newest of what is counted was recorded."""

    as_of: resources.Time | None
    """When the newest of what is counted was recorded; null where there is nothing yet."""
    step: str
    """How long a step is."""
    items: Sequence[Mood]
    """One for each step, oldest first."""


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
        Query(description="Tweets that mention this name, account or not", min_length=1, max_length=40),
    ] = None,
    author: Annotated[
        str | None, Query(description="Tweets of the account with this name", min_length=1, max_length=40)
    ] = None,
    since: Annotated[
        str | None,
        Query(alias="from", description="24 steps ago, if not given", max_length=40, json_schema_extra=A_TIME),
    ] = None,
    until: Annotated[
        str | None, Query(alias="to", description="Now, if not given", max_length=40, json_schema_extra=A_TIME)
    ] = None,
    step: Annotated[Literal["5m", "15m", "1h", "6h", "1d"], Query(description="How long a step is")] = "1h",
) -> Response:
    """Get how tweets about something read, over time: by tag, by mention or by author, one of the three.

    Steps are whole ones, in UTC, 1,000 at most. A tweet counts when it was written, with the text that it has now. A
    step without tweets is there as well. By mention, it is what others write of a name: a block of the account that has
    it hides that here as little as in the search, while the sentiment by an author who blocks you is not found.
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
        detail = "say what about: one of tag, mention and author"
        errors = tuple(FieldError(field, "one-of", detail) for field in ("tag", "mention", "author"))
        raise ProblemError("invalid-value", detail, errors=errors)
    if tag is not None:
        return about_tag(fold_tag(tag.lstrip("#＃")))
    if mention is not None:
        return about_mention(mention.lstrip("@＠").lower())
    assert author is not None
    return AccountId((await shown_account(readers, viewer, author.removeprefix("@"))).user.id)
