"""ETag, If-None-Match and If-Match on single resources."""

from __future__ import annotations

import httpx

from tests.scenarios.people import Person
from tests.scenarios.profiles import both_profiles

pytestmark = both_profiles


async def revalidated(person: Person, path: str, tag: str) -> httpx.Response:
    return await person.request("GET", path, headers={"if-none-match": tag})


async def test_what_has_not_changed_is_not_sent_again(ada: Person, bob: Person) -> None:
    tweet = (await ada.post("hello"))["id"]
    await ada.read("/users/me")
    for path in (f"/tweets/{tweet}", "/users/me", "/users/ada", "/users/bob"):
        first = await ada.after(bob).get(path)
        tag = first.headers["etag"]
        for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await revalidated(ada, path, sent)
            assert (again.status_code, again.content) == (304, b""), (path, sent)
            assert again.headers["etag"] == tag
            assert again.headers["x-request-id"]
            assert "content-type" not in again.headers
        for sent in ('"other"', tag.strip('"'), ""):
            other = await revalidated(ada, path, sent)
            assert (other.status_code, other.content) == (200, first.content), (path, sent)


async def test_a_tag_changes_with_whatever_is_shown(ada: Person, bob: Person) -> None:
    tweet = (await ada.post("hello"))["id"]
    path = f"/tweets/{tweet}"
    seen = [(await bob.after(ada).get(path)).headers["etag"]]
    for method, what, body in (
        ("POST", f"{path}/like", None),
        ("POST", f"{path}/bookmark", None),
        ("DELETE", f"{path}/like", None),
        ("PATCH", path, {"text": "hello again"}),
    ):
        await (ada if method == "PATCH" else bob).do(method, what, body)
        answer = await revalidated(bob.after(ada), path, seen[-1])
        assert answer.status_code == 200, what
        seen.append(answer.headers["etag"])
    assert len(set(seen)) == len(seen)
    before = (await bob.get("/users/ada")).headers["etag"]
    await ada.do("PATCH", "/users/me", {"bio": "new"})
    assert (await revalidated(bob.after(ada), "/users/ada", before)).status_code == 200


async def test_one_and_the_same_tag_is_not_shown_to_two_who_see_it_otherwise(ada: Person, bob: Person) -> None:
    path = f"/tweets/{(await ada.post('hello'))['id']}"
    await bob.do("POST", f"{path}/like")
    tags = {(await who.after(ada, bob).get(path)).headers["etag"] for who in (ada, bob)}
    assert len(tags) == 2


async def test_a_change_that_names_the_tag_it_has_seen_is_made_only_to_that(ada: Person, bob: Person) -> None:
    path = f"/tweets/{(await ada.post('first'))['id']}"
    seen = (await ada.get(path)).headers["etag"]
    await bob.do("POST", f"{path}/like")  # shown, but no other version: the edit is not refused for it
    await ada.do("PATCH", path, {"text": "second"}, **{"if-match": seen})
    late = await ada.request("PATCH", path, json={"text": "third"}, headers={"if-match": seen})
    assert late.status_code == 412
    await ada.do("PATCH", path, {"text": "third"}, **{"if-match": "*"})
    await ada.do("PATCH", path, {"text": "fourth"})
    assert (await ada.read(path))["version"] == 4


async def test_a_profile_takes_if_match_too(ada: Person) -> None:
    seen = (await ada.get("/users/me")).headers["etag"]
    await ada.do("PATCH", "/users/me", {"bio": "one"}, **{"if-match": seen})
    late = await ada.request("PATCH", "/users/me", json={"bio": "two"}, headers={"if-match": seen})
    assert late.status_code == 412
    assert (await ada.read("/users/me"))["bio"] == "one"
