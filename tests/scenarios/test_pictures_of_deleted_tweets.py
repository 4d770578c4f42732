"""Access to a picture after the tweets that showed it were deleted."""

from __future__ import annotations

from urllib.parse import urljoin

import httpx

from tests import pictures
from tests.scenarios.people import Person
from tests.scenarios.service import problem


async def test_a_picture_is_served_to_its_owner_alone_once_the_tweets_that_showed_it_are_deleted(
    http: httpx.AsyncClient, ada: Person, bob: Person
) -> None:
    files = {"file": ("a.png", pictures.png())}
    medium = (await ada.request("POST", "/media", files=files)).json()
    url = urljoin("http://test/", medium["variants"][0]["url"])
    tweets = [await ada.post(f"look {n}", media_ids=[medium["id"]]) for n in range(2)]

    async def statuses() -> tuple[int, int, int]:
        await ada.read("/users/me")
        own, other, nobody = [await http.get(url, headers=headers) for headers in (ada.bearer, bob.bearer, {})]
        if other.status_code == 410:
            assert problem(other) == "gone"
            assert own.headers["cache-control"] == "private, no-store"
        return own.status_code, other.status_code, nobody.status_code

    await ada.do("DELETE", f"/tweets/{tweets[0]['id']}")
    assert await statuses() == (302, 302, 302)
    await ada.do("DELETE", f"/tweets/{tweets[1]['id']}")
    assert await statuses() == (302, 410, 410)
    await ada.do("PATCH", "/users/me", {"avatar_media_id": medium["id"]})
    assert await statuses() == (302, 302, 302)
    await ada.do("PATCH", "/users/me", {"avatar_media_id": None})
    assert await statuses() == (302, 410, 410)
    await ada.post("look again", media_ids=[medium["id"]])
    assert await statuses() == (302, 302, 302)
