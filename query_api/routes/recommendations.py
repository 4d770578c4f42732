"""Whom to follow: GET /users/recommendations."""

from __future__ import annotations

from functools import partial

from fastapi import Request, Response

from rest import resources
from rest.openapi import answers
from rest.routing import Page, Paged, SignedIn, page_response, router

from .. import people
from ..serving import PEOPLE, Querying, Reading, reads

recommendations = router("Users and the graph")


@recommendations.get("/users/recommendations", response_model=None)
@answers(Page[resources.User])
@reads("recommendations", *PEOPLE)
async def get_recommendations(
    request: Request, viewer: SignedIn, page: Paged, queries: Querying, readers: Reading
) -> Response:
    """Recommend whom you may want to follow, best first.

    Accounts that many of those you follow do, damped by how many follow them anyway; then the most followed ones.
    Nobody whom you follow, block or mute, or who blocks you.
    """
    of = f"recommendations {viewer.account}"
    fetch = partial(readers.recommendations.for_account, viewer.account)
    found = await people.listed(readers, viewer.account, fetch, page.after(queries.cursors, of), page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)
