"""Request bodies are complete and in time, or refused, and never fill more memory than there is room."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rest.bodies import LEAST_PACE, SHARES, Bodies, Body, read_body
from rest.problems import ProblemError

MOST = 1000
LONG = "/files"


class Now:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def bodies(*, room: int = 100_000, patience_s: float = 60.0, clock: Now | None = None) -> Bodies:
    return Bodies(most_bytes=MOST, longer={LONG: 10_000}, room=room, patience_s=patience_s, clock=clock or Now())


def sent(*chunks: bytes | None, end: bool = True) -> Any:
    """Return a `receive` with these chunks. None is a disconnect; without `end` nothing more arrives."""
    messages = [
        {"type": "http.disconnect"} if chunk is None else {"type": "http.request", "body": chunk, "more_body": True}
        for chunk in chunks
    ]
    if end:
        messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Any:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    return receive


def opened(of: Bodies, receive: Any, *, length: int | None = None, path: str = "/tweets", owner: str = "a") -> Body:
    headers = {b"transfer-encoding": b"chunked"} if length is None else {b"content-length": b"%d" % length}
    body = of.open(path, headers, receive, owner)
    assert body is not None
    return body


async def refusal(body: Body) -> str:
    with pytest.raises(ProblemError) as refused:
        await read_body(body.receive, 1 << 30)
    return refused.value.problem.slug


async def test_a_body_that_is_whole_is_read() -> None:
    of = bodies()
    body = opened(of, sent(b"hel", b"lo"))
    assert await read_body(body.receive, MOST) == b"hello"
    assert of.in_hand == 5
    body.close()
    assert of.in_hand == 0


async def test_a_body_that_is_cut_off_is_refused() -> None:
    assert await refusal(opened(bodies(), sent(b"hel", None))) == "bad-request"
    assert await refusal(opened(bodies(), sent(None), length=5)) == "bad-request"


async def test_that_the_client_leaves_is_told_once_its_body_is_whole() -> None:
    body = opened(bodies(), sent(b"x", end=False))
    whole = opened(bodies(), sent(b"", None), length=1)
    assert (await whole.receive())["type"] == "http.request"
    with pytest.raises(ProblemError):
        await whole.receive()  # not complete yet
    assert (await body.receive())["body"] == b"x"


async def test_a_request_without_a_body_costs_nothing() -> None:
    assert bodies().open("/", {}, sent(), "a") is None
    assert bodies().open("/", {b"content-length": b"0"}, sent(), "a") is None


@pytest.mark.parametrize("length", [MOST + 1, None])
async def test_a_longer_body_is_refused_whatever_its_header_says(length: int | None) -> None:
    assert await refusal(opened(bodies(), sent(b"x" * (MOST + 1)), length=length)) == "too-large"
    assert await refusal(opened(bodies(), sent(*[b"x" * 100] * 11), length=5)) == "too-large"
    allowed = opened(bodies(), sent(b"x" * (MOST + 1)), length=length, path=LONG)
    assert len(await read_body(allowed.receive, 1 << 30)) == MOST + 1


async def test_a_body_that_pauses_is_refused() -> None:
    assert await refusal(opened(bodies(patience_s=0.05), sent(b"x", end=False), length=5)) == "too-slow"
    assert await refusal(opened(bodies(patience_s=0.05), sent(end=False), length=5)) == "too-slow"


async def test_a_body_that_trickles_is_refused_in_the_end() -> None:
    clock = Now()
    body = opened(bodies(clock=clock), sent(*[b"x"] * 500), length=MOST)
    received = 0
    slug = ""
    while not slug:
        try:
            received += len((await body.receive())["body"])
            clock.s += 1
        except ProblemError as refused:
            slug = refused.problem.slug
    assert slug == "too-slow"
    assert received <= 60 + MOST / LEAST_PACE + 1


async def test_a_length_that_is_no_length_lengthens_no_deadline() -> None:
    clock = Now()
    body = opened(bodies(clock=clock, patience_s=1), sent(b"x", b"x"), length=10**18)
    with pytest.raises(ProblemError):
        await body.receive()
    assert bodies().open("/", {b"content-length": b"9" * 50}, sent(), "a") is None


async def test_one_address_has_a_share_of_the_room_and_others_have_the_rest() -> None:
    of = bodies(room=SHARES * 10_000)
    mine = [opened(of, sent(b"x" * 5000), path=LONG) for _ in range(3)]
    for body in mine[:2]:
        await read_body(body.receive, 1 << 30)
    assert await refusal(mine[2]) == "too-many"
    other = opened(of, sent(b"x" * 5000), path=LONG, owner="b")
    assert len(await read_body(other.receive, 1 << 30)) == 5000
    mine[0].close()
    again = opened(of, sent(b"x" * 5000), path=LONG)
    assert len(await read_body(again.receive, 1 << 30)) == 5000


async def test_all_together_have_the_room() -> None:
    of = bodies(room=20_000)
    for owner in "abcd":
        await read_body(opened(of, sent(b"x" * 5000), path=LONG, owner=owner).receive, 1 << 30)
    assert await refusal(opened(of, sent(b"x"), owner="e")) == "unavailable"


async def test_those_who_send_a_header_and_wait_take_no_room() -> None:
    of = bodies(room=10_000)
    waiting = [asyncio.ensure_future(opened(of, sent(end=False), path=LONG).receive()) for _ in range(1000)]
    await asyncio.sleep(0)
    assert len(await read_body(opened(of, sent(b"x" * 9000), path=LONG).receive, 1 << 30)) == 9000
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
