"""Mentions mean the accounts that have the names at the moment of writing, and go on meaning them."""

from __future__ import annotations

import msgspec

from events.entities import Entities
from events.ids import AccountId


def names(entities: Entities) -> tuple[str, ...]:
    """The names mentioned, lower case."""
    return tuple(mention.username.lower() for mention in entities.mentions)


def settled(entities: Entities, ids: dict[str, AccountId]) -> Entities:
    """The entities with the accounts that their mentions mean; `ids` is by lower-case name."""
    if not ids:
        return entities
    mentions = tuple(
        msgspec.structs.replace(mention, account=ids.get(mention.username.lower())) for mention in entities.mentions
    )
    return msgspec.structs.replace(entities, mentions=mentions)
