"""Resolve mentions when a tweet is written: each keeps the account that had the name at that moment."""

from __future__ import annotations

import msgspec

from events.entities import Entities
from events.ids import AccountId


def names(entities: Entities) -> tuple[str, ...]:
    """Return the mentioned user names in lower case."""
    return tuple(mention.username.lower() for mention in entities.mentions)


def resolve_mentions(entities: Entities, ids: dict[str, AccountId]) -> Entities:
    """Return the entities with an account id in each mention that `ids`, keyed by lower-case name, has."""
    if not ids:
        return entities
    mentions = tuple(
        msgspec.structs.replace(mention, account=ids.get(mention.username.lower())) for mention in entities.mentions
    )
    return msgspec.structs.replace(entities, mentions=mentions)
