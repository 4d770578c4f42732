"""Pictures and videos over HTTP: adding, uploading, showing, fetching, deleting, and refusals."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from tests import pictures
from tests.pictures import SECRET
from tests.scenarios.people import Json, Person
from tests.scenarios.service import MINUTE, Service, StandingClock, problem

NOBODYS = "019a7b2e-0000-7000-8000-000000000000"


async def added(person: Person, content: bytes | None = None, name: str = "a.jpg", **fields: str) -> Json:
    """Add a picture and return the response."""
    answer = await sent(person, content if content is not None else pictures.jpeg(), name, **fields)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def sent(person: Person, content: bytes, name: str = "a.jpg", key: str | None = None, **fields: str) -> Any:
    headers = {} if key is None else {"idempotency-key": key}
    return await person.request("POST", "/media", files={"file": (name, content)}, data=fields, headers=headers)


async def started(person: Person, content_type: str = "image/jpeg", **more: str) -> Json:
    """Start an upload."""
    answer = await person.do("POST", "/media/uploads", {"content_type": content_type, **more})
    assert answer.status_code == 201
    found: dict[str, Any] = answer.json()
    return found


async def uploaded(http: httpx.AsyncClient, form: Json, content: bytes, **changed: str) -> httpx.Response:
    """Upload a file to the store with its form."""
    url = urljoin("http://test/", form["url"])
    return await http.post(url, data=form["fields"] | changed, files={"file": ("x", content)})


async def fetched(http: httpx.AsyncClient, url: str, **headers: str) -> httpx.Response:
    """Fetch the file at a medium's address through the store."""
    redirect = await http.get(urljoin("http://test/", url))
    assert redirect.status_code == 302, redirect.text
    return await http.get(urljoin("http://test/", redirect.headers["location"]), headers=headers)


# With the file in the request


@pytest.mark.parametrize(
    ("content", "content_type", "size"),
    [
        (pictures.jpeg(6), "image/jpeg", (20, 40)),
        (pictures.png(), "image/png", (40, 20)),
        (pictures.gif(), "image/gif", (40, 20)),
        (pictures.webp(), "image/webp", (40, 20)),
        (pictures.mp4(), "video/mp4", (None, None)),
        (pictures.webm(), "video/webm", (None, None)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_added_can_be_read_by_its_owner_and_fetched_by_everyone(
    http: httpx.AsyncClient, ada: Person, content: bytes, content_type: str, size: tuple[int | None, int | None]
) -> None:
    medium = await added(ada, content, "a name that says nothing", alt=" Cafe\u0301 ")
    assert (medium["state"], medium["content_type"], medium["alt"]) == ("ready", content_type, "Caf\u00e9")
    (variant,) = medium["variants"]
    assert (variant["name"], variant["width"], variant["height"]) == ("original", *size)
    assert await ada.read(f"/media/{medium['id']}") == medium

    file = await fetched(http, variant["url"])
    assert (file.status_code, file.headers["content-type"]) == (200, content_type)
    assert len(file.content) == variant["size"]
    assert SECRET.encode() not in file.content
    assert file.headers["x-content-type-options"] == "nosniff"


async def test_a_player_can_ask_for_a_part(http: httpx.AsyncClient, ada: Person) -> None:
    content = pictures.mp4()
    medium = await added(ada, content)
    await ada.read(f"/media/{medium['id']}")
    part = await fetched(http, medium["variants"][0]["url"], range="bytes=-256")
    assert (part.status_code, part.content) == (206, content[-256:])


async def test_a_medium_is_its_owners_alone_until_it_is_shown(ada: Person, bob: Person) -> None:
    medium = await added(ada)
    answer = await bob.after(ada).get(f"/media/{medium['id']}")
    assert (answer.status_code, problem(answer)) == (404, "not-found")
    for method, path in (("DELETE", ""), ("POST", "/complete")):
        answer = await bob.request(method, f"/media/{medium['id']}{path}")
        assert (answer.status_code, problem(answer)) == (404, "not-found")


@pytest.mark.parametrize(
    ("content", "refused"),
    [(b"", "unsupported-media"), (b"<svg/>", "unsupported-media"), (pictures.png()[:60], "unsupported-media")],
)
async def test_what_is_no_good_medium_is_refused(ada: Person, content: bytes, refused: str) -> None:
    answer = await sent(ada, content, "a.jpg")
    assert (answer.status_code, problem(answer)) == (415, refused)


async def test_a_form_has_one_file_and_a_text(ada: Person) -> None:
    for options, status, slug in (
        ({"json": {"file": "x"}}, 415, "wrong-type"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "bad-request"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=y"}}, 400, "bad-request"),
        ({"files": {"picture": ("a", b"x")}}, 422, "invalid-value"),
        ({"files": {"file": (None, b"x")}}, 422, "invalid-value"),
        ({"files": {"alt": (None, b"x")}}, 422, "invalid-value"),
        ({"files": [("file", ("a", b"x")), ("file", ("b", b"y"))]}, 400, "bad-request"),
        ({"files": {"file": ("a", b"x")}, "data": {"title": "x"}}, 422, "invalid-value"),
        ({"files": {"file": ("a", pictures.png())}, "data": {"alt": "x" * 1001}}, 422, "invalid-value"),
        ({"files": {"file": ("a", pictures.png())}, "data": {"alt": "\u202e"}}, 422, "invalid-value"),
    ):
        answer = await ada.request("POST", "/media", **options)
        assert (answer.status_code, problem(answer)) == (status, slug), options


@pytest.mark.parametrize("settings", [{"media": {"max_bytes": 2000, "max_pixels": 10_000}}])
async def test_what_is_too_long_or_too_large_is_refused(ada: Person) -> None:
    too_long = await sent(ada, pictures.jpeg() + bytes(30_000))
    assert (too_long.status_code, problem(too_long)) == (413, "too-large")
    too_long = await sent(ada, pictures.jpeg() + bytes(2000))
    assert (too_long.status_code, problem(too_long)) == (413, "too-large")
    too_large = await sent(ada, pictures.saved(pictures.image(200, 100), "PNG"))
    assert (too_large.status_code, problem(too_large)) == (413, "too-large")


@pytest.mark.parametrize("settings", [{"rate_limits": {"uploads_a_day": 2}}])
async def test_an_account_adds_so_many_a_day(ada: Person) -> None:
    await added(ada)
    await started(ada)
    for answer in (await sent(ada, pictures.jpeg()), await ada.request("POST", "/media/uploads", json=UPLOAD)):
        assert (answer.status_code, problem(answer)) == (429, "too-many")


UPLOAD = {"content_type": "image/png"}


async def test_the_same_file_with_the_same_key_is_one_medium(service: Service, ada: Person) -> None:
    first = await sent(ada, pictures.jpeg(), key="one", alt="x")
    again = await sent(ada, pictures.jpeg(), key="one", alt="x")  # in a form with another boundary
    assert (first.json(), again.headers["idempotency-replayed"]) == (again.json(), "true")
    assert problem(await sent(ada, pictures.jpeg(), key="one", alt="y")) == "idempotency-key-reused"
    assert problem(await sent(ada, pictures.png(), key="one", alt="x")) == "idempotency-key-reused"
    assert len(files(service)) == 1


def files(service: Service) -> list[str]:
    """Return the files in the store."""
    return [path.parent.name for path in (service.system.directory / "media").rglob("*") if path.is_file()]


# Through the store


async def test_an_upload_is_completed_and_can_then_be_shown(
    service: Service, http: httpx.AsyncClient, ada: Person
) -> None:
    upload = await started(ada, alt="wheels")
    media = upload["media_id"]
    waiting = await ada.read(f"/media/{media}")
    assert (waiting["state"], waiting["variants"], waiting["alt"]) == ("waiting", [], "wheels")
    missing = await ada.request("POST", f"/media/{media}/complete")
    assert (missing.status_code, problem(missing)) == (409, "conflict")
    early = await ada.request("POST", "/tweets", json={"text": "x", "media_ids": [media]})
    assert (early.status_code, problem(early)) == (409, "conflict")

    assert (await uploaded(http, upload["upload"], pictures.jpeg())).status_code == 204
    done = await ada.do("POST", f"/media/{media}/complete")
    assert (done.status_code, done.json()["state"]) == (200, "ready")
    assert await ada.read(f"/media/{media}") == done.json()
    assert SECRET.encode() not in (await fetched(http, done.json()["variants"][0]["url"])).content
    assert files(service) == ["finished"]

    await uploaded(http, upload["upload"], pictures.jpeg(width=60))
    again = await ada.do("POST", f"/media/{media}/complete")
    assert again.json() == done.json()


async def test_a_form_permits_what_it_says_and_nothing_else(
    service: Service, http: httpx.AsyncClient, ada: Person, clock: StandingClock
) -> None:
    form = (await started(ada))["upload"]
    other = (await started(ada, "image/png"))["upload"]
    wider = json.loads(base64.b64decode(form["fields"]["policy"])) | {"most_bytes": 1 << 40}
    for changed in (
        {"key": other["fields"]["key"]},
        {"Content-Type": "image/png"},
        {"policy": other["fields"]["policy"]},
        {"policy": base64.b64encode(json.dumps(wider).encode()).decode()},
        {"signature": other["fields"]["signature"]},
        {"signature": ""},
        {"policy": "", "signature": ""},
    ):
        refused = await uploaded(http, form, pictures.jpeg(), **changed)
        assert (refused.status_code, problem(refused)) == (403, "not-allowed"), changed
    assert (await uploaded(http, form, b"")).status_code == 403
    clock.forward(15 * MINUTE)
    assert (await uploaded(http, form, pictures.jpeg())).status_code == 403
    assert files(service) == []


@pytest.mark.parametrize("settings", [{"media": {"max_bytes": 2000}}])
async def test_the_store_takes_nothing_that_is_too_long(http: httpx.AsyncClient, ada: Person) -> None:
    form = (await started(ada))["upload"]
    assert (await uploaded(http, form, bytes(2001))).status_code == 403
    assert (await uploaded(http, form, bytes(2000))).status_code == 204


async def test_what_is_uploaded_is_judged_by_its_content(
    service: Service, http: httpx.AsyncClient, ada: Person
) -> None:
    upload = await started(ada, "image/png")
    for content in (b"no picture", pictures.jpeg()):
        assert (await uploaded(http, upload["upload"], content)).status_code == 204
        answer = await ada.request("POST", f"/media/{upload['media_id']}/complete")
        assert (answer.status_code, problem(answer)) == (415, "unsupported-media")
    assert (await uploaded(http, upload["upload"], pictures.png())).status_code == 204
    await ada.do("POST", f"/media/{upload['media_id']}/complete")
    assert files(service) == ["finished"]


async def test_completing_twice_at_once_keeps_one_file(service: Service, http: httpx.AsyncClient, ada: Person) -> None:
    upload = await started(ada)
    await uploaded(http, upload["upload"], pictures.jpeg())
    path = f"/media/{upload['media_id']}/complete"
    one, two = await asyncio.gather(*(ada.request("POST", path) for _ in range(2)))
    assert one.json() == two.json()
    assert files(service) == ["finished"]
    await ada.read(f"/media/{upload['media_id']}")
    assert (await fetched(http, one.json()["variants"][0]["url"])).status_code == 200


async def test_only_the_types_that_are_taken_can_be_uploaded(ada: Person) -> None:
    for body in ({"content_type": "image/svg+xml"}, {}, UPLOAD | {"alt": "x" * 1001}, UPLOAD | {"size": 5}):
        answer = await ada.request("POST", "/media/uploads", json=body)
        assert (answer.status_code, problem(answer)) == (422, "invalid-value"), body


async def test_a_link_holds_for_its_object_and_for_an_hour_or_two(
    http: httpx.AsyncClient, ada: Person, clock: StandingClock
) -> None:
    one, two = [(await added(ada))["variants"][0]["url"] for _ in range(2)]
    await ada.read("/users/me")
    links = [httpx.URL((await http.get(urljoin("http://test/", url))).headers["location"]) for url in (one, two)]
    assert (await http.get(f"http://test{links[0]}")).status_code == 200
    for link in (
        links[0].copy_merge_params({"signature": links[1].params["signature"]}),
        links[0].copy_merge_params({"expires": "9" * 15}),
        links[0].copy_merge_params({"expires": "x"}),
        links[0].copy_with(path=links[1].path),
        links[0].copy_with(path="/media-store/finished/nothing.jpg"),
    ):
        assert (await http.get(f"http://test{link}")).status_code == 404, link
    clock.forward(60 * MINUTE)
    assert (await http.get(f"http://test{links[0]}")).status_code == 200
    clock.forward(60 * MINUTE)
    assert (await http.get(f"http://test{links[0]}")).status_code == 404
    assert (await fetched(http, one)).status_code == 200


# Shown


async def test_a_tweet_shows_up_to_four_media_of_its_author(http: httpx.AsyncClient, ada: Person, bob: Person) -> None:
    media = [await added(ada, pictures.jpeg(width=40 + n), alt=f"number {n}") for n in range(5)]
    ids = [medium["id"] for medium in media]
    tweet = await ada.post("look", media_ids=ids[:4])
    assert tweet["media"] == [
        {
            "id": medium["id"],
            "content_type": "image/jpeg",
            "url": f"/media/{medium['id']}/original",
            "width": 40 + n,
            "height": 20,
            "alt": f"number {n}",
        }
        for n, medium in enumerate(media[:4])
    ]
    assert (await bob.after(ada).read(f"/tweets/{tweet['id']}"))["media"] == tweet["media"]
    assert (await bob.items("/public"))[0]["media"] == tweet["media"]
    assert (await bob.items("/users/ada/tweets"))[0]["tweet"]["media"] == tweet["media"]
    assert (await fetched(http, tweet["media"][0]["url"])).status_code == 200

    for chosen, status in ((ids, 422), ([ids[0], ids[0]], 422), (["x"], 422), ([NOBODYS], 404), ("x", 422)):
        answer = await ada.request("POST", "/tweets", json={"text": "x", "media_ids": chosen})
        assert answer.status_code == status, chosen
    answer = await bob.request("POST", "/tweets", json={"text": "x", "media_ids": ids[:1]})
    assert (answer.status_code, problem(answer)) == (404, "not-found")


async def test_an_edit_and_a_retweet_keep_the_media(ada: Person, bob: Person) -> None:
    media = await added(ada)
    tweet = await ada.post("look", media_ids=[media["id"]])
    await ada.do("PATCH", f"/tweets/{tweet['id']}", {"text": "look here"})
    await bob.do("POST", f"/tweets/{tweet['id']}/retweet")
    quoting = await bob.post("see", quote_of=tweet["id"])
    await bob.after(ada).read("/users/me")
    assert (await bob.read(f"/tweets/{tweet['id']}"))["media"] == tweet["media"]
    assert (await bob.read(f"/tweets/{quoting['id']}"))["quote"]["tweet"]["media"] == tweet["media"]


async def test_a_profile_shows_pictures_of_its_own(http: httpx.AsyncClient, ada: Person, bob: Person) -> None:
    picture, video = await added(ada), await added(ada, pictures.mp4())
    url = picture["variants"][0]["url"]
    await ada.do("PATCH", "/users/me", {"avatar_media_id": picture["id"], "header_media_id": picture["id"]})
    me = await ada.read("/users/me")
    assert (me["avatar_url"], me["avatar_media_id"], me["header_url"], me["header_media_id"]) == (
        (url, picture["id"]) * 2
    )
    tweet = await ada.post("it is me")
    assert tweet["author"]["avatar_url"] == url
    assert (await bob.after(ada).read(f"/tweets/{tweet['id']}"))["author"]["avatar_url"] == url
    assert (await bob.read("/users/ada"))["avatar_url"] == url
    assert (await fetched(http, url)).status_code == 200

    for changed, status, slug in (
        ({"avatar_media_id": video["id"]}, 422, "invalid-value"),
        ({"avatar_media_id": NOBODYS}, 404, "not-found"),
        ({"header_media_id": "x"}, 422, "invalid-value"),
    ):
        answer = await ada.request("PATCH", "/users/me", json=changed)
        assert (answer.status_code, problem(answer)) == (status, slug), changed
    assert problem(await bob.request("PATCH", "/users/me", json={"avatar_media_id": picture["id"]})) == "not-found"

    await ada.do("PATCH", "/users/me", {"avatar_media_id": None, "bio": "x"})
    me = await ada.read("/users/me")
    assert (me["avatar_url"], me["header_url"], me["bio"]) == (None, url, "x")


# Deleted


async def test_what_is_deleted_is_gone_with_its_file(service: Service, http: httpx.AsyncClient, ada: Person) -> None:
    medium = await added(ada)
    await ada.do("DELETE", f"/media/{medium['id']}")
    assert files(service) == []
    answer = await ada.get(f"/media/{medium['id']}")
    assert (answer.status_code, problem(answer)) == (410, "gone")
    assert (await http.get(urljoin("http://test/", medium["variants"][0]["url"]))).status_code == 410
    answer = await ada.request("POST", "/tweets", json={"text": "x", "media_ids": [medium["id"]]})
    assert (answer.status_code, problem(answer)) == (410, "gone")
    assert (await ada.request("POST", f"/media/{medium['id']}/complete")).status_code == 410
    assert (await ada.request("DELETE", f"/media/{medium['id']}")).status_code == 204
    assert (await ada.request("DELETE", f"/media/{NOBODYS}")).status_code == 404


async def test_an_upload_that_is_not_wanted_any_more_is_deleted(
    service: Service, http: httpx.AsyncClient, ada: Person
) -> None:
    upload = await started(ada)
    await uploaded(http, upload["upload"], pictures.jpeg())
    await ada.do("DELETE", f"/media/{upload['media_id']}")
    assert files(service) == []


async def test_what_is_shown_is_not_deleted(ada: Person) -> None:
    medium = await added(ada)
    path = f"/media/{medium['id']}"
    tweet = await ada.post("look", media_ids=[medium["id"]])
    refused = await ada.request("DELETE", path)
    assert (refused.status_code, problem(refused)) == (409, "conflict")
    await ada.do("DELETE", f"/tweets/{tweet['id']}")
    await ada.do("PATCH", "/users/me", {"header_media_id": medium["id"]})
    refused = await ada.request("DELETE", path)
    assert (refused.status_code, problem(refused)) == (409, "conflict")
    await ada.do("PATCH", "/users/me", {"header_media_id": None})
    await ada.do("DELETE", path)


async def test_a_medium_that_is_known_is_not_sent_again(ada: Person) -> None:
    medium = await added(ada)
    first = await ada.get(f"/media/{medium['id']}")
    again = await ada.request("GET", f"/media/{medium['id']}", headers={"if-none-match": first.headers["etag"]})
    assert (first.status_code, again.status_code) == (200, 304)


async def test_where_uploads_begin_is_no_medium(ada: Person) -> None:
    for method in ("GET", "DELETE", "PATCH"):
        answer = await ada.request(method, "/media/uploads")
        assert (answer.status_code, problem(answer)) == (405, "method-not-allowed")
        assert answer.headers["allow"] == "POST"


async def test_nobody_adds_media_without_signing_in(http: httpx.AsyncClient) -> None:
    for method, path in (("POST", "/media"), ("POST", "/media/uploads"), ("DELETE", f"/media/{NOBODYS}")):
        assert (await http.request(method, path)).status_code == 401
