"""Fills a data directory with the demo community, or brings an existing one up to date; and prints hints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from command_api.deciding import Context, Refused
from command_api.domain.add_media import ADD_MEDIA, AddMedia
from command_api.domain.change_profile import CHANGE_PROFILE, ChangeProfile
from command_api.domain.claim_account import CLAIM_ACCOUNT, ClaimAccount
from command_api.facts import AccountNamed, StoredFile
from events.ids import AccountId, MediaId, Millis, id_at
from events.tweets import TweetPosted
from runtime.command_answers import WhetherNew
from runtime.embedded.demo.cast import SIGNED_IN, is_of_demo
from runtime.embedded.demo.community import Command, Community
from runtime.embedded.demo.pictures import AVATAR, avatar
from runtime.embedded.engine import Engine
from runtime.embedded.system import System
from stores.objects import Objects

PASSWORD = "sourdough-and-starlight"  # noqa: S105  # printed on purpose, for accounts of made-up people
WITH_AVATAR = 60
"""The number of people with an avatar, the busiest first."""
LEAST_GAP_MS = 15 * 60_000
"""After a longer time without activity, activity is generated for it."""
_NEWEST = 500


async def fill(engine: Engine) -> bool:
    """Fill an empty data directory; return whether it was empty. Takes about 3 s.

    It is one transaction: the demo is there completely or not at all. Raises LogUnavailable.
    """
    system = engine.system
    if system.log_db.writer.ends():
        return False
    now = system.clock()
    community = Community(now)
    hashed = await system.passwords.hash(PASSWORD)
    claims = [
        (CLAIM_ACCOUNT, ClaimAccount(account, hashed), Context(actor=account, causation="demo"))
        for account in community.accounts.values()
    ]
    faces = await _faces(system.media.objects, community.busiest(WITH_AVATAR), now)
    refused = await _execute(system, [*community.commands(), *faces, *claims])
    if refused:
        raise AssertionError(f"{len(refused)} commands of the demo were refused, the first: {refused[0]}")
    return True


async def _faces(objects: Objects, people: Mapping[str, AccountId], now: Millis) -> list[Command]:
    """Store pictures of people; return the commands that make them avatars."""
    commands: list[Command] = []
    for username, account in people.items():
        picture, media = avatar(username), MediaId(id_at(now, "demo avatar", username))
        key = f"finished/{media}.png"
        await objects.write(key, "image/png", picture)
        context = Context(actor=account, causation="demo")
        stored = StoredFile("image/png", key, len(picture), AVATAR, AVATAR)
        commands.append((ADD_MEDIA, AddMedia(account, media, stored, f"The avatar of {username}"), context))
        commands.append((CHANGE_PROFILE, ChangeProfile(account, avatar=media), context))
    return commands


async def accounts_of(system: System, usernames: Sequence[str]) -> dict[str, AccountId]:
    """Return the demo's accounts of these names. An account that the demo did not make is left out."""
    named = {username: AccountNamed(username) for username in usernames}
    facts = await system.commands.ask(*named.values())
    found = {username: facts[question] for username, question in named.items()}
    return {username: one.id for username, one in found.items() if one is not None and is_of_demo(one.id, username)}


async def is_there(engine: Engine) -> bool:
    """Return whether the data directory has the demo community."""
    return len(await accounts_of(engine.system, SIGNED_IN)) == len(SIGNED_IN)


async def catch_up(system: System, usernames: Sequence[str]) -> int:
    """Generate the activity of the time without a server; return the number of commands. Raises LogUnavailable."""
    then, now = await _newest(system), system.clock()
    if now - then < LEAST_GAP_MS:
        return 0
    accounts = await accounts_of(system, usernames)
    if len(accounts) < len(usernames):
        return 0
    commands = Community.since(then, now, list(accounts.values())).conversations()
    await _execute(system, commands)
    return len(commands)


async def _newest(system: System) -> Millis:
    """Return the time of the newest tweet near the end of the log."""
    ends = await system.log.ends()
    after = {place: max(0, end - _NEWEST) if place.topic == "tweets" else end for place, end in ends.items()}
    records = await system.log.read(after, _NEWEST, ("tweets",))
    return max((record.about.time for record in records if isinstance(record.event, TweetPosted)), default=Millis(0))


async def _execute(system: System, commands: Iterable[Command]) -> list[Refused]:
    outcomes = await system.commands.execute_some([*commands], WhetherNew(), lambda: True)
    return [outcome for outcome in outcomes if isinstance(outcome, Refused)]


def hints(url: str, *, lives: bool) -> str:
    """Return what to try next. The stream is mentioned only if the community is active, because nothing
    else moves it.
    """
    stream = '  curl -sN $API/stream -H "Authorization: Bearer $TOKEN"\n\n' if lives else ""
    return f"""
The demo community is there. Sign in as {" or ".join(SIGNED_IN)}, password {PASSWORD}

  {url}               where to begin, in a browser
  {url}/docs          what the API can do
  {url}/readyz        whether everything is up
  {url}/metrics       how it is doing

Try, in another terminal:

  API={url}/api/v1
  TOKEN=$(curl -s $API/auth/login -H 'Content-Type: application/json' \\
    -d '{{"login": "{SIGNED_IN[0]}", "password": "{PASSWORD}"}}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')

  curl -s "$API/feed?limit=3" -H "Authorization: Bearer $TOKEN"

{stream}  curl -s "$API/search/tweets?q=northern+lights&limit=3"

  curl -s "$API/trends?window=24h"
"""
