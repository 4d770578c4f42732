"""Media over HTTP with an S3 store: it behaves as the folder does, and an outage has the right problem."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin
from uuid import uuid4

import httpx
import pytest

from events.ids import wall_clock
from tests import pictures
from tests.pictures import SECRET
from tests.scenarios.people import Person
from tests.scenarios.service import Service, StandingClock, problem

pytestmark = pytest.mark.engines


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    if "unavailable" in request.node.name:
        return {"media": {"s3": "s3://key:secret@127.0.0.1:9/media"}}
    return {"media": {"s3": f"{request.getfixturevalue('s3')}media-{uuid4().hex[:12]}"}}


@pytest.fixture
def clock() -> StandingClock:
    """The real time, which the store checks."""
    standing = StandingClock()
    standing.now = wall_clock()
    return standing


async def fetched(http: httpx.AsyncClient, url: str) -> httpx.Response:
    redirect = await http.get(urljoin("http://test/", url))
    assert redirect.status_code == 302, redirect.text
    async with httpx.AsyncClient() as outside:
        return await outside.get(redirect.headers["location"])


async def test_a_picture_goes_straight_to_the_store_and_comes_from_there(
    service: Service, http: httpx.AsyncClient, ada: Person
) -> None:
    await service.system.media.prepare()
    started = (await ada.do("POST", "/media/uploads", {"content_type": "image/jpeg", "alt": "wheels"})).json()
    form, path = started["upload"], f"/media/{started['media_id']}"
    async with httpx.AsyncClient() as outside:
        for content, taken in ((bytes(10_000_001), False), (b"no picture", True)):
            answer = await outside.post(form["url"], data=form["fields"], files={"file": ("x", content)})
            assert answer.is_success == taken, answer.text
        assert problem(await ada.request("POST", f"{path}/complete")) == "unsupported-media"
        await outside.post(form["url"], data=form["fields"], files={"file": ("x", pictures.jpeg())})
    done = (await ada.do("POST", f"{path}/complete")).json()
    tweet = await ada.post("look", media_ids=[started["media_id"]])
    assert await ada.read(path) == done

    file = await fetched(http, tweet["media"][0]["url"])
    assert (file.status_code, file.headers["content-type"]) == (200, "image/jpeg")
    assert SECRET.encode() not in file.content
    assert len(file.content) == done["variants"][0]["size"]


async def test_what_is_deleted_is_gone_from_the_store(service: Service, http: httpx.AsyncClient, ada: Person) -> None:
    await service.system.media.prepare()
    answer = await ada.request("POST", "/media", files={"file": ("x", pictures.png())})
    assert answer.status_code == 201, answer.text
    path = f"/media/{answer.json()['id']}"
    await ada.read(path)
    link = (await http.get(urljoin("http://test/", f"{path}/original"))).headers["location"]
    async with httpx.AsyncClient() as outside:
        assert (await outside.get(link)).status_code == 200
        await ada.do("DELETE", path)
        assert (await outside.get(link)).status_code == 404


async def test_while_the_store_is_unavailable_nothing_is_decided(service: Service, ada: Person) -> None:
    before = len(await service.events())
    answer = await ada.request("POST", "/media", files={"file": ("x", pictures.png())})
    assert (answer.status_code, problem(answer)) == (503, "unavailable")
    assert answer.headers["retry-after"]
    assert len(await service.events()) == before

    started = (await ada.do("POST", "/media/uploads", {"content_type": "image/png"})).json()
    answer = await ada.request("POST", f"/media/{started['media_id']}/complete")
    assert (answer.status_code, problem(answer)) == (503, "unavailable")


async def test_deleting_goes_on_after_the_store_was_unavailable(service: Service, ada: Person) -> None:
    started = (await ada.do("POST", "/media/uploads", {"content_type": "image/png"})).json()
    for _ in range(2):
        answer = await ada.request("DELETE", f"/media/{started['media_id']}")
        assert (answer.status_code, problem(answer)) == (503, "unavailable")
    assert [type(event).__name__ for event in await service.events()][-2:] == ["UploadStarted", "MediaDeleted"]
