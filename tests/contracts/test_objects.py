"""The contract of object stores, for the folder and for S3 on a real server."""

import asyncio
import base64
import json
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urljoin
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from events.ids import Millis, wall_clock
from rest.authentication import Viewer
from rest.edge import headers_of
from rest.exchange import Exchange
from rest.routing import attach
from runtime.media_store import media_store
from runtime.settings import MediaSettings
from stores.localfs.objects import LocalObjects
from stores.objects import HOUR_MS, Upload
from stores.sink import StoreUnavailable
from tests.pictures import jpeg

MOST = 5000
TYPE = "image/jpeg"


def nobody(header: bytes) -> Viewer:
    """Requests are not authenticated; no test here needs it."""
    raise AssertionError(header)


class Exchanging:
    """The parts of the edge that the routes need."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["exchange"] = Exchange(headers_of(scope), "", lambda: str(uuid4()), nobody)
        await self._app(scope, receive, send)


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[SimpleNamespace]:
    objects = LocalObjects(tmp_path / "media", b"a secret", wall_clock, random.Random(7).randbytes)
    app = FastAPI()
    attach(app, [media_store(objects)])
    transport = httpx.ASGITransport(app=Exchanging(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        yield SimpleNamespace(objects=objects, http=http)


@pytest.fixture
async def bucket(request: pytest.FixtureRequest) -> AsyncIterator[SimpleNamespace]:
    from stores.s3.objects import Location, S3Objects

    address = request.getfixturevalue("s3")
    objects = S3Objects(Location.parse(f"{address}media-{uuid4().hex[:12]}"))
    await objects.prepare()
    await objects.prepare()
    async with httpx.AsyncClient() as http:
        yield SimpleNamespace(objects=objects, http=http)
    objects.close()


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.engines)])
def store(request: pytest.FixtureRequest) -> SimpleNamespace:
    found: SimpleNamespace = request.getfixturevalue(request.param)
    return found


def in_a_while() -> Millis:
    return Millis(wall_clock() + 600_000)


async def posted(store: SimpleNamespace, form: Upload, content: bytes, **changed: str) -> httpx.Response:
    """Upload a file with the fields of a form."""
    url = urljoin("http://test", form.url)
    http: httpx.AsyncClient = store.http
    return await http.post(url, data={**form.fields, **changed}, files={"file": ("x", content)})


async def test_an_object_can_be_read_until_it_is_deleted(store: SimpleNamespace) -> None:
    await store.objects.write("finished/1.jpg", TYPE, b"content")
    assert await store.objects.read("finished/1.jpg", 7) == b"content"
    await store.objects.write("finished/1.jpg", TYPE, b"other")
    assert await store.objects.read("finished/1.jpg", 7) == b"other"
    for _ in range(2):
        await store.objects.delete("finished/1.jpg")
        assert await store.objects.read("finished/1.jpg", 7) is None


async def test_an_object_longer_than_the_limit_is_not_read(store: SimpleNamespace) -> None:
    await store.objects.write("finished/1.jpg", TYPE, bytes(8))
    assert await store.objects.read("finished/1.jpg", 8) == bytes(8)
    assert await store.objects.read("finished/1.jpg", 7) is None


async def test_many_objects_are_written_and_read_at_once(store: SimpleNamespace) -> None:
    contents = {f"finished/{n}.jpg": bytes((n,)) * 100 for n in range(24)}
    await asyncio.gather(*(store.objects.write(key, TYPE, content) for key, content in contents.items()))
    read = await asyncio.gather(*(store.objects.read(key, MOST) for key in contents))
    assert read == list(contents.values())


async def test_a_form_uploads_one_object(store: SimpleNamespace) -> None:
    form = store.objects.upload("incoming/1", TYPE, MOST, in_a_while())
    for content in (jpeg(), b"x" * MOST, b"x"):
        assert (await posted(store, form, content)).status_code == 204
        assert await store.objects.read("incoming/1", MOST) == content


async def test_a_form_refuses_other_objects_types_and_sizes(store: SimpleNamespace) -> None:
    form = store.objects.upload("incoming/1", TYPE, MOST, in_a_while())
    other = store.objects.upload("incoming/2", "image/png", 10 * MOST, in_a_while())
    for content, changed in (
        (b"x" * (MOST + 1), {}),
        (b"", {}),
        (b"x", {"key": "incoming/2"}),
        (b"x", {"key": "finished/1.jpg"}),
        (b"x", {"Content-Type": "image/png"}),
        (b"x", {"Content-Type": "text/html"}),
        (b"x", {"policy": other.fields["policy"]}),
    ):
        refused = await posted(store, form, content, **changed)
        assert 400 <= refused.status_code < 500, (changed, len(content))
    for key in ("incoming/1", "incoming/2", "finished/1.jpg"):
        assert await store.objects.read(key, 10 * MOST) is None


async def test_a_form_that_was_tampered_with_is_refused(store: SimpleNamespace) -> None:
    form = store.objects.upload("incoming/1", TYPE, MOST, in_a_while())
    policy = base64.b64decode(form.fields["policy"]).decode()
    wider = base64.b64encode(policy.replace(str(MOST), str(10 * MOST)).encode()).decode()
    assert json.loads(policy)
    assert wider != form.fields["policy"]
    refused = await posted(store, form, b"x", policy=wider)
    assert 400 <= refused.status_code < 500


async def test_a_form_that_has_expired_is_refused(store: SimpleNamespace) -> None:
    form = store.objects.upload("incoming/1", TYPE, MOST, Millis(wall_clock() - 1000))
    refused = await posted(store, form, b"x")
    assert 400 <= refused.status_code < 500
    assert await store.objects.read("incoming/1", MOST) is None


async def test_a_link_returns_its_object_and_is_the_same_for_an_hour(store: SimpleNamespace) -> None:
    await store.objects.write("finished/1.jpg", TYPE, jpeg())
    now = Millis(int(time.time()) * 1000)
    link = store.objects.link("finished/1.jpg", now)
    hour = now // HOUR_MS * HOUR_MS
    assert {store.objects.link("finished/1.jpg", Millis(hour + ms)) for ms in (0, HOUR_MS - 1)} == {link}
    answer = await store.http.get(urljoin("http://test", link))
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, jpeg(), TYPE)
    part = await store.http.get(urljoin("http://test", link), headers={"range": "bytes=0-1"})
    assert (part.status_code, part.content) == (206, jpeg()[:2])


async def test_a_link_to_another_object_or_an_expired_one_is_refused(store: SimpleNamespace) -> None:
    for name in ("1", "2"):
        await store.objects.write(f"finished/{name}.jpg", TYPE, jpeg())
    link = store.objects.link("finished/1.jpg", wall_clock())
    old = store.objects.link("finished/1.jpg", Millis(wall_clock() - 3 * HOUR_MS))
    unsigned = link.partition("?")[0]
    for wrong in (link.replace("finished/1", "finished/2"), old, unsigned):
        assert (await store.http.get(urljoin("http://test", wrong))).status_code in (400, 401, 403, 404, 422), wrong


async def test_an_unusable_folder_raises_store_unavailable(tmp_path: Path) -> None:
    (tmp_path / "media").write_text("a file where the folder should be")
    objects = LocalObjects(tmp_path / "media", b"a secret", wall_clock, random.Random(7).randbytes)
    for call in (objects.write("finished/1.jpg", TYPE, b"x"), objects.read("finished/1.jpg", 9), objects.prepare()):
        with pytest.raises(StoreUnavailable):
            await call


@pytest.mark.engines
async def test_an_unavailable_server_raises_store_unavailable() -> None:
    from stores.s3.objects import Location, S3Objects

    objects = S3Objects(Location.parse("s3://key:secret@127.0.0.1:9/bucket"), timeout_s=0.5)
    try:
        for call in (objects.write("a", TYPE, b"x"), objects.read("a", 9), objects.delete("a"), objects.prepare()):
            with pytest.raises(StoreUnavailable):
                await call
        assert objects.upload("a", TYPE, MOST, in_a_while()).url == "http://127.0.0.1:9/bucket"
    finally:
        objects.close()


@pytest.mark.engines
def test_an_incomplete_address_of_a_store_is_refused() -> None:
    from stores.s3.objects import BadAddress, Location, S3Objects

    assert Location.parse("s3s://key:a%2Fb@s3.example:444/bucket?region=eu-1") == (
        "s3.example:444", True, "key", "a/b", "bucket", "eu-1",
    )  # fmt: skip
    for address in ("s3://key:secret@host", "s3://host/bucket", "http://key:secret@host/bucket", "bucket"):
        with pytest.raises(BadAddress) as refused:
            Location.parse(address)
        assert "secret" not in str(refused.value)
        with pytest.raises(ValidationError, match="has to be s3://"):
            MediaSettings(s3=address)
    assert MediaSettings(s3="s3s://key:a%2Fb@s3.example:444/bucket?region=eu-1").s3 is not None
    objects = S3Objects(Location.parse("s3://key:secret@inside:8333/bucket"), public="https://media.example")
    assert objects.upload("a", TYPE, MOST, in_a_while()).url == "https://media.example/bucket"
    assert objects.link("a", wall_clock()).startswith("https://media.example/bucket/a?")
    objects.close()
