"""Builds the dependencies of the command API, in the same way for both profiles."""

from __future__ import annotations

import hashlib

from command_api.deciding import CommandStore
from command_api.passwords import Passwords
from command_api.routes.auth import Accounts
from command_api.routes.executing import Commands, InHand, WriteLimits
from command_api.routes.media import Uploads
from command_api.sign_in_attempts import SignInAttempts
from command_api.signing_keys import KeyRing
from command_api.tokens import AccessTokens, RefreshTokens
from events.ids import Clock, HybridClock, Millis, Randomness
from rest.rate_limits import RateLimits, RatePolicy
from rest.roles import Roles
from rest.shares import Shares
from rest.signing import ConsistencyTokens
from rest.tickets import Tickets

from . import metrics
from .app import CommandSide
from .settings import Settings

_MINUTE = 60_000
REGISTRATIONS_AT_ONCE = 2
"""The maximum number of concurrent registrations from one address."""
_DAY_S = 24 * 3600


def policies(settings: Settings) -> WriteLimits:
    """Return the rate limits of the writing routes."""
    limits = settings.rate_limits
    return WriteLimits(
        tweets=(
            RatePolicy("tweets", limits.tweets_a_day, _DAY_S, limits.tweets_a_day),
            RatePolicy("tweets-burst", max(1, round(limits.tweets_a_second * 60)), 60, limits.tweets_burst),
        ),
        follows=(RatePolicy("follows", limits.follows_a_day, _DAY_S, limits.follows_a_day),),
        failed_sign_ins=(
            RatePolicy("failed-sign-ins", limits.failed_sign_ins_an_hour, 3600, limits.failed_sign_ins_an_hour),
        ),
        registrations=(RatePolicy("registrations", limits.registrations_an_hour, 3600, limits.registrations_an_hour),),
    )


def command_side(
    settings: Settings,
    *,
    store: CommandStore,
    ids: HybridClock,
    clock: Clock,
    randomness: Randomness,
    tokens: ConsistencyTokens,
    limits: RateLimits,
    passwords: Passwords,
    signing_keys: KeyRing,
    roles: Roles,
    token_lifetime_ms: int,
    tickets: Tickets,
    uploads: Uploads,
    token_key: bytes,
) -> CommandSide:
    """Build the command side of an application."""
    in_hand = InHand(settings.max_waiting_commands)
    metrics.WAITING_COMMANDS.set_function(lambda: in_hand.count)
    writing = policies(settings)
    commands = Commands(
        store=store,
        ids=ids,
        tokens=tokens,
        limits=limits,
        policies=writing,
        edit_window_ms=Millis(settings.edit_minutes * _MINUTE),
        most_bytes=settings.max_body_bytes,
        in_hand=in_hand,
        fingerprint_key=hashlib.blake2b(b"fingerprints of requests", key=token_key[:64]).digest(),
    )
    accounts = Accounts(
        passwords,
        AccessTokens(signing_keys, roles, clock, issuer=settings.issuer, lifetime_ms=token_lifetime_ms),
        RefreshTokens(randomness, clock, settings.refresh_days * 24 * 60 * _MINUTE, token_key),
        SignInAttempts(limits, writing.failed_sign_ins),
        Shares("registrations from an address", REGISTRATIONS_AT_ONCE),
        tickets,
    )
    return CommandSide(commands, accounts, uploads)


REVOCATION_SLACK_MS = 60_000
"""A revocation is kept for so long after the token has expired, in case a clock was set back."""
