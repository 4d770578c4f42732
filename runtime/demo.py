"""`--demo`: fills a new data directory with the demo community, and says what to try."""

from __future__ import annotations

from command_api.deciding import Context, Refused
from command_api.domain.claim_account import CLAIM_ACCOUNT, ClaimAccount
from command_api.facts import AccountNamed

from .demo_community import SIGNED_IN, Community
from .embedded.answering import WhetherNew
from .embedded.engine import Engine

PASSWORD = "sourdough-and-starlight"  # noqa: S105  # printed on purpose, for accounts of made-up people


async def fill(engine: Engine) -> bool:
    """Fill the data directory if nothing is in it. About 2 s; whether it was done.

    It is one transaction: a demo is there whole or not at all. Raises LogUnavailable.
    """
    system = engine.system
    if system.log_db.writer.ends():
        return False
    community = Community(system.clock())
    hashed = await system.passwords.hash(PASSWORD)
    claims = [
        (CLAIM_ACCOUNT, ClaimAccount(account, hashed), Context(actor=account, causation="demo"))
        for account in community.accounts.values()
    ]
    outcomes = await system.commands.execute_some([*community.commands(), *claims], WhetherNew(), lambda: True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    if refused:
        raise AssertionError(f"{len(refused)} commands of the demo were refused, the first: {refused[0]}")
    return True


async def is_there(engine: Engine) -> bool:
    """Whether this is a data directory with the demo community."""
    named = AccountNamed(SIGNED_IN[0])
    account = (await engine.system.commands.ask(named))[named]
    return account is not None and account.imported


def hints(url: str) -> str:
    """What to try next."""
    login = f"""curl -s {url}/api/v1/auth/login -H 'Content-Type: application/json' \\
    -d '{{"login": "{SIGNED_IN[0]}", "password": "{PASSWORD}"}}'"""
    extract = """sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/'"""
    return f"""
The demo community is there. Sign in as {" or ".join(SIGNED_IN)}, password {PASSWORD}

  {url}/docs          what the API can do
  {url}/readyz        whether everything is up
  {url}/metrics       how it is doing

Try:

  curl -s '{url}/api/v1/feed?limit=3' -H "Authorization: Bearer $({login} | {extract})"

  curl -s '{url}/api/v1/search/tweets?q=northern+lights&limit=3'

  curl -s '{url}/api/v1/trends?window=24h'
"""
