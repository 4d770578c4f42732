"""Periodic work: reports usage, removes old answers, ends expired sessions."""

from __future__ import annotations

import asyncio

from command_api.credentials import SessionsExpired
from command_api.deciding import Context, Refused
from command_api.domain.end_session import END_SESSION, EndSession
from events.ids import SessionId
from events.log import LogUnavailable
from runtime.command_answers import WhetherNew
from runtime.telemetry import logger

from .system import System

EVERY_S = 60.0
MOST_SESSIONS = 200


async def tidy(system: System) -> None:
    """Do it once. Raises LogUnavailable."""
    while await system.usage.flush():
        pass
    while await system.commands.forget_old_answers():
        pass
    question = SessionsExpired(system.clock(), MOST_SESSIONS)
    tried: set[SessionId] = set()
    while sessions := [s for s in (await system.commands.ask(question))[question] if s.id not in tried]:
        tried.update(session.id for session in sessions)
        for session in sessions:
            end = EndSession(session.account, session.id, "expired")
            try:
                await system.commands.execute(END_SESSION, end, Context(actor=session.account), WhetherNew())
            except Refused:  # the session ended meanwhile
                continue


async def keep_tidy(system: System) -> None:
    """Do it once a minute, until cancelled."""
    log = logger("minitwitter.housekeeping")
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            await tidy(system)
        except LogUnavailable as error:
            log.warning("housekeeping was put off", detail=str(error))
