"""Trends: GET /trends and /trends/{tag}/history. Both say `as_of` when, and wait for no Consistency-Token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from fastapi import Path, Query, Response

from events.entities import fold_tag
from rest import resources
from rest.openapi import answers
from rest.routing import A_TIME, json_response, router
from rest.times import rfc3339

from ..rankings import Trends
from ..serving import Querying, Reading, reads
from ..tags import trending
from ..time_series import range_of, time_of

trends = router("Trends")


class Uses(msgspec.Struct, frozen=True):
    """In how many tweets of a step a tag was used, and by how many people."""

    start: resources.Time
    """When it begins."""
    count: int
    """In how many tweets it was used."""
    authors: int
    """By how many people."""


class TagHistory(msgspec.Struct, frozen=True):
    """How a tag, as it is mostly written, was used, oldest first, a step each.

    `as_of` is when the newest of what is counted was recorded.
    """

    as_of: resources.Time | None
    """When the newest of what is counted was recorded; null where there is nothing yet."""
    tag: str
    """As it is mostly written."""
    step: str
    """How long a step is."""
    items: Sequence[Uses]
    """One for each step, oldest first."""


@trends.get("/trends", response_model=None)
@answers(Trends)
@reads("trends")
async def get_trends(
    queries: Querying,
    readers: Reading,
    at: Annotated[
        str | None,
        Query(description="When the window ends; now, if not given", max_length=40, json_schema_extra=A_TIME),
    ] = None,
    window: Annotated[Literal["1h", "6h", "24h"], Query(description="How long it is")] = "24h",
) -> Response:
    """List tags that more people use than is usual for them.

    A tag's strength is the number of its authors in the window, and half again those who used it more than once.
    What is expected of it is one, and what it had on average in the same hours of the seven days before. The score
    is the log-likelihood ratio of the two, of counts that vary by a fifth from day to day.
    """
    end = None if at is None else time_of("at", at)
    body = await queries.rankings.trends(readers, window, end, queries.now())
    return Response(body, media_type="application/json")


@trends.get("/trends/{tag}/history", response_model=None)
@answers(TagHistory)
@reads("trends")
async def get_tag_history(
    tag: Annotated[str, Path(description="With or without #, in any case", max_length=280, examples=["world"])],
    queries: Querying,
    readers: Reading,
    since: Annotated[
        str | None,
        Query(alias="from", description="24 steps ago, if not given", max_length=40, json_schema_extra=A_TIME),
    ] = None,
    until: Annotated[
        str | None, Query(alias="to", description="Now, if not given", max_length=40, json_schema_extra=A_TIME)
    ] = None,
    step: Annotated[Literal["1h", "6h", "1d"], Query(description="How long a step is")] = "1h",
) -> Response:
    """Get how often a tag was used, and by how many people, over time.

    Steps are whole ones, in UTC, 1,000 at most. A step in which nobody used the tag is there as well.
    """
    asked = tag.lstrip("#＃")
    folded = fold_tag(asked)
    start, end, length = range_of(since, until, step, queries.now())
    as_of = await readers.trends.as_of()
    found = await readers.trends.history(folded, start, end, length)
    items = [Uses(rfc3339(one.start), one.uses, one.authors) for one in found]
    written = (await trending(readers, (folded,))).get(folded, asked)
    return json_response(TagHistory(None if as_of is None else rfc3339(as_of), written, step, items))
