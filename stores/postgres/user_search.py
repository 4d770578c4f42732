"""User search on PostgreSQL: a row for each name of an account, and one for each trigram of each name."""

from __future__ import annotations

from events.ids import AccountId, account_number
from events.postgres.connections import Connection, Pool
from stores.text.trigrams import name_key, resemblance

from ..pages import Page
from ..user_search import UserSearch
from .database import fetch
from .model import Model
from .trigrams import candidates, wanted

_LAST = "\U0010ffff"

# Here and below, OFFSET 0 makes the planner look up each row by its key. It takes a few thousand rows for millions, and
# would otherwise read the whole table (6 s for 500 accounts out of 100,000).
_UNINDEX = """
DELETE FROM user_search_trigrams WHERE ctid = ANY(ARRAY(
    SELECT row.ctid FROM user_search_names AS n, name_trigrams(compared_name(n.slot, n.name)) AS old,
        LATERAL (
            SELECT t.ctid FROM user_search_trigrams AS t
            WHERE t.trigram = old.trigram AND t.size = old.size AND t.account = n.account AND t.slot = n.slot
            OFFSET 0) AS row
    WHERE n.account = ANY(%s::bigint[]) AND n.slot > 0))"""
_REMOVE = "DELETE FROM user_search_names WHERE account = ANY(%s::bigint[]) AND slot > 0"
_NAMED = """
INSERT INTO user_search_names SELECT account, 0, name, id
FROM unnest(%s::bigint[], %s::text[], %s::uuid[]) AS new(account, name, id)"""
# A part that equals the user name gets no row of its own.
_DISPLAYED = """
INSERT INTO user_search_names SELECT new.account, new.slot, new.name, username.id
FROM unnest(%s::bigint[], %s::integer[], %s::text[]) AS new(account, slot, name)
JOIN user_search_names AS username ON username.account = new.account AND username.slot = 0
WHERE new.name <> username.name"""
_INDEX = """
INSERT INTO user_search_trigrams SELECT new.trigram, new.size, n.account, n.slot
FROM user_search_names AS n, name_trigrams(compared_name(n.slot, n.name)) AS new
WHERE n.account = ANY(%s::bigint[]) AND n.slot BETWEEN %s AND %s"""

# Each account is returned once: for the first of its names that match. OFFSET 0 makes the planner look these up by the
# account, for each row of the page, and not among all names with the prefix.
_BY_PREFIX = """
SELECT name, slot, account, id::text FROM user_search_names AS n
WHERE name >= %(after)s AND name < %(end)s
    AND (name, slot, account) > (%(after)s, %(slot)s::integer, %(account)s::bigint)
    AND NOT EXISTS (
        SELECT FROM (SELECT name, slot FROM user_search_names WHERE account = n.account OFFSET 0) AS m
        WHERE m.name >= %(key)s AND m.name < %(end)s AND (m.name, m.slot) < (n.name, n.slot))
ORDER BY name, slot, account LIMIT %(limit)s"""
_NAMES_OF_SIMILAR = f"""
WITH best AS MATERIALIZED ({candidates("user_search_trigrams", "account, slot")})
SELECT account, slot, name, id::text FROM user_search_names WHERE account = ANY(ARRAY(SELECT account FROM best))"""


def _compared(slot: int, name: str) -> str:
    """Return the part of a row's name that is compared: the whole, or its first word."""
    return name if slot < 2 else name.partition(" ")[0]


class PostgresUserSearchRows:
    """The UserSearchRows port. It keeps the final names of each account until the batch is committed."""

    def __init__(self) -> None:
        self._named: dict[AccountId, str] = {}
        self._displayed: dict[AccountId, str] = {}

    def named(self, account: AccountId, username: str) -> None:
        """Store the user name of an account."""
        self._named[account] = name_key(username)

    def displayed(self, account: AccountId, display_name: str) -> None:
        """Replace the display name of an account."""
        self._displayed[account] = name_key(display_name)

    async def send(self, connection: Connection) -> None:
        """Write the buffered rows."""
        if self._named:
            named = list(map(account_number, self._named))
            await connection.execute(_NAMED, (named, list(self._named.values()), list(self._named)))
            await connection.execute(_INDEX, (named, 0, 0))
        if self._displayed:
            displayed = list(map(account_number, self._displayed))
            await connection.execute(_UNINDEX, (displayed,))
            await connection.execute(_REMOVE, (displayed,))
            rows = [
                (account, slot, name)
                for account, key in zip(displayed, self._displayed.values(), strict=True)
                for slot, name in enumerate(_names(key), start=1)
            ]
            await connection.execute(_DISPLAYED, tuple(list(column) for column in zip(*rows, strict=True)))
            await connection.execute(_INDEX, (displayed, 1, 1 << 30))

    def clear(self) -> None:
        """Discard the buffered rows."""
        self._named.clear()
        self._displayed.clear()


def _names(key: str) -> list[str]:
    """Return a display name and, if it has several words, its endings from each word on."""
    words = key.split(" ")
    return [key, *(" ".join(words[i:]) for i in range(len(words)))] if len(words) > 1 else [key]


class PostgresUserSearch:
    """The UserSearch port. A cursor is `p` and a row of the index by name, or `s`, similarity, slot and account.

    Raises StoreUnavailable.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, name: str, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that match `name`, best first. A leading @ is ignored."""
        key = name_key(name.strip().lstrip("@＠"))
        if not key:
            return Page([], None)
        kind, _, position = (before or "p:").partition(":")
        found: list[tuple[AccountId, str]] = []
        if kind == "p":
            found = await self._with_prefix(key, position, limit + 1)
            position = ""
        if len(found) <= limit:
            found += await self._similar(key, position)
        return Page([account for account, _ in found[:limit]], found[limit - 1][1] if len(found) > limit else None)

    async def _with_prefix(self, key: str, position: str, limit: int) -> list[tuple[AccountId, str]]:
        slot, account, after = position.split(":", 2) if position else ("-1", "-1", key)
        values = {
            "key": key,
            "end": key + _LAST,
            "after": after,
            "slot": int(slot),
            "account": int(account),
            "limit": limit,
        }
        rows = await fetch(self._pool, _BY_PREFIX, values)
        return [(AccountId(id_), f"p:{slot}:{account}:{name}") for name, slot, account, id_ in rows]

    async def _similar(self, key: str, after: str) -> list[tuple[AccountId, str]]:
        """Return the similar accounts that have no name with the prefix, after a cursor."""
        names: dict[tuple[int, AccountId], list[tuple[int, str]]] = {}
        for account, slot, name, id_ in await fetch(self._pool, _NAMES_OF_SIMILAR, wanted(key)):
            names.setdefault((account, AccountId(id_)), []).append((slot, name))
        ranked = []
        for (account, id_), rows in names.items():
            distance, slot = min((-resemblance(key, _compared(slot, name)), slot) for slot, name in rows)
            if distance and not any(name.startswith(key) for _, name in rows):
                ranked.append((distance, slot, account, id_))
        ranked.sort()
        if after:
            last = after.split(":")
            ranked = [row for row in ranked if row[:3] > (-float(last[0]), int(last[1]), int(last[2]))]
        return [(id_, f"s:{-distance!r}:{slot}:{account}") for distance, slot, account, id_ in ranked]


MODEL: Model[PostgresUserSearchRows, UserSearch] = Model(
    ("user_search_names", "user_search_trigrams"), PostgresUserSearchRows, PostgresUserSearch
)
