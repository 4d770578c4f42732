"""Account events: registration, claiming, profile, password and role. Topic `accounts`, keyed by account."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from .event import Event, event
from .ids import AccountId, MediaId

Role = Literal["user", "analyst", "moderator", "admin"]
"""What an account may do beside posting and reading: rest/rights.py says which role has which right."""
ROLES: tuple[Role, ...] = get_args(Role)


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The profile that an account shows. `avatar` and `header` are pictures that the account uploaded."""

    display_name: str
    bio: str = ""
    location: str = ""
    website: str = ""
    feed: str = "latest"
    avatar: MediaId | None = None
    header: MediaId | None = None


@event(topic="accounts", key="account", sealed=("email",), subject="account", opens_subject=True)
class AccountRegistered(Event, frozen=True, kw_only=True):
    """An account was created. An imported account has no e-mail address, and no sign-in until it is claimed."""

    account: AccountId
    username: str
    display_name: str
    email: str | None = None
    imported: bool = False


@event(topic="accounts", key="account")
class AccountClaimed(Event, frozen=True, kw_only=True):
    """An imported account was given a password, so its owner can sign in."""

    account: AccountId


@event(topic="accounts", key="account", version=2)
class ProfileChanged(Event, frozen=True, kw_only=True):
    """The profile was replaced. The event carries all fields of the new profile. Version 2 added the pictures."""

    account: AccountId
    profile: Profile


@event(topic="accounts", key="account")
class PasswordChanged(Event, frozen=True, kw_only=True):
    """The password was changed. The log holds neither the password nor its hash."""

    account: AccountId


@event(topic="accounts", key="account")
class RoleChanged(Event, frozen=True, kw_only=True):
    """The account has another role from now on. A new account has the role `user`, without an event."""

    account: AccountId
    role: Role
