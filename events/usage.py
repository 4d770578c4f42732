"""Usage events, reported by the query side. Topic `usage`, keyed by account, kept for a year; no decision reads it."""

from __future__ import annotations

from .event import Event, event
from .ids import AccountId


@event(topic="usage", key="account")
class AccountActive(Event, frozen=True, kw_only=True):
    """The account used the service on a day (`2026-11-20`, UTC). Reported once a day."""

    account: AccountId
    day: str
