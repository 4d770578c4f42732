"""A role that follows the pointers: opened anew beside the old one, which is closed once requests go to the new one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import ASGIApp

from events.retries import ENGINE
from runtime.distributed.roles import pointer_watch
from runtime.distributed.roles.pointer_watch import PointerWatch
from runtime.distributed.settings import PostgresSettings
from runtime.readiness import Part
from runtime.settings import Settings
from stores.postgres.pointers import Pointer
from stores.sink import StoreUnavailable

SOON = 10
SETTINGS = PostgresSettings.of(Settings.model_validate({"postgres_url": "postgresql://a@127.0.0.1/b"}))


class Moving:
    """Pointers that move when `to` is set."""

    def __init__(self) -> None:
        self.to: asyncio.Future[Mapping[str, Pointer]] = asyncio.get_running_loop().create_future()

    async def read(self) -> Mapping[str, Pointer]:
        return {}

    async def moved_from(self, seen: Mapping[str, Pointer]) -> Mapping[str, Pointer]:
        moved = await asyncio.shield(self.to)
        if moved == seen:
            await asyncio.Event().wait()
        return moved


class Numbered:
    """A role that answers requests with its number."""

    def __init__(self, number: int, works: Callable[[], Any]) -> None:
        self._number = number
        self._works = works

    def application(self) -> ASGIApp:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            await send(self._number)

        return answer

    def parts(self) -> Sequence[Part]:
        return [Part.of(f"role {self._number}")]

    async def run(self) -> None:
        await self._works()


class Roles:
    """Opens roles with the numbers 1, 2 and so on, and notes which are open. `unavailable` fail to open first."""

    def __init__(self, works: Callable[[], Any], unavailable: Sequence[int] = ()) -> None:
        self.told: list[str] = []
        self._works = works
        self._unavailable = list(unavailable)
        self._number = 0

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Numbered]:
        number = self._number + 1
        if number in self._unavailable:
            self._unavailable.remove(number)
            self.told.append(f"{number} is unavailable")
            raise StoreUnavailable("unavailable")
        self._number = number
        self.told.append(f"{number} opened")
        try:
            yield Numbered(number, self._works)
        finally:
            self.told.append(f"{number} closed")


@pytest.fixture
async def pointers(monkeypatch: pytest.MonkeyPatch) -> Moving:
    made = Moving()
    monkeypatch.setattr(pointer_watch, "Pointers", lambda url: made)
    return made


async def answered_by(watch: PointerWatch) -> list[int]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await watch.application()({}, None, send)  # type: ignore[arg-type]  # Numbered receives nothing
    return sent


async def test_after_a_pointer_moved_a_new_role_answers_and_the_old_one_is_closed(pointers: Moving) -> None:
    roles = Roles(works=_for_ever, unavailable=[2])
    async with PointerWatch.open(SETTINGS, "query", roles) as watch:
        working = asyncio.create_task(watch.run())
        assert await answered_by(watch) == [1]
        pointers.to.set_result({"cassandra": Pointer("g1", None)})
        async with asyncio.timeout(SOON + ENGINE.waits_s[0]):
            while "1 closed" not in roles.told:  # noqa: ASYNC110  there is no event to wait for
                await asyncio.sleep(0)
        assert await answered_by(watch) == [2]
        assert [part.name for part in watch.parts()] == ["role 2"]
        working.cancel()
        await asyncio.wait((working,))
    assert roles.told == ["1 opened", "2 is unavailable", "2 opened", "1 closed", "2 closed"]


async def test_a_role_that_ends_by_itself_ends_the_watch_with_its_error(pointers: Moving) -> None:
    async def fail() -> None:
        raise ValueError("of the role")

    roles = Roles(works=fail)
    async with PointerWatch.open(SETTINGS, "query", roles) as watch:
        with pytest.raises(ValueError, match="of the role"):
            await watch.run()
    assert roles.told == ["1 opened", "1 closed"]


async def test_while_a_new_role_waits_for_its_engines_the_old_one_answers_and_both_can_be_stopped(
    pointers: Moving,
) -> None:
    roles = Roles(works=_for_ever, unavailable=[2] * 1000)
    async with PointerWatch.open(SETTINGS, "query", roles) as watch:
        working = asyncio.create_task(watch.run())
        pointers.to.set_result({"cassandra": Pointer("g1", None)})
        async with asyncio.timeout(SOON):
            while "2 is unavailable" not in roles.told:  # noqa: ASYNC110  there is no event to wait for
                await asyncio.sleep(0)
        assert await answered_by(watch) == [1]
        working.cancel()
        await asyncio.wait((working,))
    assert (roles.told[0], roles.told[-1]) == ("1 opened", "1 closed")


async def _for_ever() -> None:
    await asyncio.Event().wait()
