"""Trends: GET /trends and /trends/{tag}/history. They answer with `as_of` and do not wait for Consistency-Tokens."""

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
    """The uses of a tag in one step."""

    start: resources.Time
    """When the step begins."""
    count: int
    """The number of tweets with the tag."""
    authors: int
    """The number of their authors."""


class TagHistory(msgspec.Struct, frozen=True):
    """The uses of a tag over time, one item per step, oldest first. The tag is in its most used spelling.

    `as_of` is the append time of the newest counted event.
    """

    as_of: resources.Time | None
    """When the newest counted event was appended; null if there is none."""
    tag: str
    """The tag in its most used spelling."""
    step: str
    """The length of a step."""
    items: Sequence[Uses]
    """An item for each step, oldest first."""


@trends.get("/trends", response_model=None)
@answers(Trends)
@reads("trends")
async def get_trends(
    queries: Querying,
    readers: Reading,
    at: Annotated[
        str | None,
        Query(description="The end of the window. Default: now", max_length=40, json_schema_extra=A_TIME),
    ] = None,
    window: Annotated[Literal["1h", "6h", "24h"], Query(description="The length of the window")] = "24h",
) -> Response:
    """List tags that more people use than usual.

    The strength of a tag is the number of its authors in the window, plus half the number of authors who used it more
    than once. The expected strength is one plus the mean in the same hours of the seven days before. The score is the
    log-likelihood ratio of both, for counts that vary by a fifth from day to day.
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
        Query(alias="from", description="Default: 24 steps ago", max_length=40, json_schema_extra=A_TIME),
    ] = None,
    until: Annotated[
        str | None, Query(alias="to", description="Default: now", max_length=40, json_schema_extra=A_TIME)
    ] = None,
    step: Annotated[Literal["1h", "6h", "1d"], Query(description="The length of a step")] = "1h",
) -> Response:
    """Get the number of tweets with a tag, and of their authors, over time.

    Steps are whole steps in UTC, 1,000 at most, and include steps without uses.
    """
    asked = tag.lstrip("#＃")
    folded = fold_tag(asked)
    start, end, length = range_of(since, until, step, queries.now())
    as_of = await readers.trends.as_of()
    found = await readers.trends.history(folded, start, end, length)
    items = [Uses(rfc3339(one.start), one.uses, one.authors) for one in found]
    written = (await trending(readers, (folded,))).get(folded, asked)
    return json_response(TagHistory(None if as_of is None else rfc3339(as_of), written, step, items))
