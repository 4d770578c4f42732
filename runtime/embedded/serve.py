"""`minitwitter serve`: an engine behind an HTTP server, from taking the lock to the last checkpoint."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from enum import StrEnum

from runtime.connections import Connections
from runtime.embedded.control import AwaitCurrent, ControlServer
from runtime.embedded.engine import Engine
from runtime.embedded.scratch_directory import remove_leftovers
from runtime.gc_tuning import freeze_startup_objects
from runtime.http_server import Front, Server, free_port
from runtime.readiness import Part
from runtime.settings import Settings
from runtime.telemetry import RequestTelemetry, logger


class Demo(StrEnum):
    """The demo community: none, a quiet one, or one that stays active while the server runs."""

    NONE = "none"
    QUIET = "quiet"
    LIVING = "living"


async def serve(settings: Settings, *, demo: Demo, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. `say` prints a line for the person who started it.

    Raises AlreadyOwned, AddressInUse, ProjectingFailed, and the errors of opening the data.
    """
    log = logger("minitwitter.serve")
    port = free_port(settings.host, settings.port)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    telemetry = RequestTelemetry()
    engine = Engine(settings, requests=lambda: telemetry.count)
    telemetry.on_fault = engine.look_into
    remove_leftovers(settings.data)
    making_demo = False

    def waiting_for() -> Part:
        if making_demo:
            return Part.of("demo", down="the demo community is being made")
        return Part.of("read models", down=engine.projecting.detail or "they are open; the routes are being loaded")

    front = Front(waiting_for)
    await engine.start()
    connections = Connections(port, settings.max_connections_of_address, settings.trusted_proxies)
    server = Server(front, settings.host, port, connections)
    server.start()
    control = ControlServer(settings.data, engine.handle, lambda error: log.error("a command failed", exc_info=error))
    composition = None
    try:
        if demo is not Demo.NONE:
            making_demo = True
            if await _fill(engine):
                log.info("the demo community was made")
            making_demo = False
        # Importing modules takes half a second, while the projecting process does the same on the other core.
        from runtime.embedded.composition import Composition

        ready = asyncio.create_task(engine.ready())
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait((ready, stopping, server.ended), return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            return
        await ready
        composition = Composition(engine.system, parts=engine.parts, telemetry=telemetry)
        front.application = composition.application
        freeze_startup_objects()
        await control.start()
        url = f"http://{settings.host}:{port}"
        log.info("serving", url=url, data=str(settings.data), projecting_pid=engine.projecting.pid)
        telling = asyncio.create_task(_tell(engine, url, demo, say))
        await asyncio.wait((stopping, server.ended), return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
    finally:
        if composition is not None:
            composition.close()
        await server.stop(settings.shutdown_s / 2)
        await control.stop()
        await engine.stop()
        log.info("stopped")


async def _fill(engine: Engine) -> bool:
    from runtime.embedded.demo.filling import fill

    return await fill(engine)


async def _tell(engine: Engine, url: str, demo: Demo, say: Callable[[str], None]) -> None:
    """Print the address once the server answers, and, for the demo, what to try; then start the community's
    activity.
    """
    serves = f"MiniTwitter serves on {url}  (documentation: {url}/docs, Ctrl-C stops it)"
    if demo is Demo.NONE:
        say(serves)
        return
    from runtime.embedded.demo.cast import SIGNED_IN, the_cast
    from runtime.embedded.demo.filling import catch_up, hints, is_there
    from runtime.embedded.demo.living import live

    there = await is_there(engine)
    cast = the_cast()
    if there:
        if demo is Demo.LIVING:
            await catch_up(engine.system, [person.username for person in cast.people])
        async for _ in engine.handle(AwaitCurrent()):
            pass
        say(hints(url, lives=demo is Demo.LIVING))
    else:
        say(
            f"{engine.settings.data} has a community of its own, so no demo was made in it: nobody there can sign in as"
            f" {' or '.join(SIGNED_IN)}. For the demo name a new directory: minitwitter serve --demo --data DIR"
        )
    say(serves)
    if there and demo is Demo.LIVING:
        try:
            await live(engine.system, cast)
        except Exception as error:  # the server continues without it
            logger("minitwitter.demo").error("the demo community has stopped", exc_info=error)
