"""Accounts: who there is. Topic `accounts`, keyed by account."""

from __future__ import annotations

import msgspec

from .event import Event, event
from .ids import AccountId, MediaId


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What an account says about itself. `avatar` and `header` are pictures of its own."""

    display_name: str
    bio: str = ""
    location: str = ""
    website: str = ""
    feed: str = "latest"
    avatar: MediaId | None = None
    header: MediaId | None = None


@event(topic="accounts", key="account", sealed=("email",), subject="account", opens_subject=True)
class AccountRegistered(Event, frozen=True, kw_only=True):
    """An account began. An imported one has no e-mail address and cannot be signed in to until it is claimed."""

    account: AccountId
    username: str
    display_name: str
    email: str | None = None
    imported: bool = False


@event(topic="accounts", key="account")
class AccountClaimed(Event, frozen=True, kw_only=True):
    """An imported account was given a password."""

    account: AccountId


@event(topic="accounts", key="account", version=2)
class ProfileChanged(Event, frozen=True, kw_only=True):
    """The profile as it is from now on, whole. Version 2 brought its pictures."""

    account: AccountId
    profile: Profile


@event(topic="accounts", key="account")
class PasswordChanged(Event, frozen=True, kw_only=True):
    """The password was changed; neither it nor its hash is in the log."""

    account: AccountId
