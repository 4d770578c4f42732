"""Accounts to follow: GET /users/recommendations."""

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
    """Recommend accounts to follow, best first.

    First come accounts that many of your followees follow; the more followers an account has in all, the less each
    counts. Then come the accounts with the most followers. Accounts that you follow, block or mute are left out, and
    accounts that block you.
    """
    of = f"recommendations {viewer.account}"
    fetch = partial(readers.recommendations.for_account, viewer.account)
    found = await people.listed(readers, viewer.account, fetch, page.after(queries.cursors, of), page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)
