"""Imports a graph of friendships ("a b" on each line) as follows in both directions, between the most active imported
accounts.

People are sorted by their number of friends, accounts by their number of imported tweets; the first person becomes the
first account, and so on. So the same file over the same accounts gives the same follows. Their times are before the
first imported tweet, a millisecond apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from events.ids import AccountId, Millis
from runtime.importing.messages import Import, NewFollow

from .batches import ROWS_A_BATCH, Execute, Summary, hand_over
from .files import ImportFile
from .history import ImportedAccounts

DAY_MS = 86_400_000
_LONGEST_NUMBER = 18


class NothingToLayItOver(Exception):
    """No tweets were imported, or the graph has more people than there are accounts with imported tweets."""


def friendships(source: ImportFile, summary: Summary) -> dict[int, set[int]]:
    """Return each person's friends. Adds bad lines to `summary`. Raises NotSuchAFile."""
    friends: dict[int, set[int]] = {}
    with source.lines() as file:
        for line, text in enumerate(file, 1):
            if not text.strip() or text.startswith("#"):
                continue
            summary.rows += 1
            parts = text.split()
            if len(parts) != 2 or not all(map(_is_number, parts)):
                shown = text.strip()[:80].encode(errors="backslashreplace").decode()
                summary.refuse(line, f"{shown!r} is not two numbers")
                continue
            a, b = int(parts[0]), int(parts[1])
            if a == b:
                summary.refuse(line, f"{a} is no friend of itself")
            elif b in friends.setdefault(a, set()):
                summary.duplicates += 1
            else:
                friends[a].add(b)
                friends.setdefault(b, set()).add(a)
    return friends


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER


def follows(friends: dict[int, set[int]], ranking: ImportedAccounts) -> Iterator[NewFollow]:
    """Return the follows, account by account. Raises NothingToLayItOver."""
    first = ranking.first_tweet_at
    if first is None:
        raise NothingToLayItOver("no tweet was imported, so there is nobody to lay the graph over; import tweets first")
    people = sorted(friends, key=lambda person: (-len(friends[person]), person))
    if len(people) > len(ranking.accounts):
        raise NothingToLayItOver(
            f"the graph has {len(people)} people and {len(ranking.accounts)} accounts are imported;"
            " import tweets of enough accounts first"
        )
    account: dict[int, AccountId] = dict(zip(people, ranking.accounts, strict=False))
    place = {person: number for number, person in enumerate(people)}
    at = max(0, first - DAY_MS)
    for person in people:
        for friend in sorted(friends[person], key=place.__getitem__):
            yield NewFollow(account[person], account[friend], Millis(max(0, min(at, first - 1))))
            at += 1


async def import_graph(
    execute: Execute,
    source: ImportFile,
    ranking: ImportedAccounts,
    begin: Callable[[int], None],
    advance: Callable[[int], None],
) -> Summary:
    """Import a file; `begin` receives the number of follows. Raises NotSuchAFile, NothingToLayItOver."""
    summary = Summary()
    wanted = list(follows(friendships(source, summary), ranking))
    begin(len(wanted))
    parts = (wanted[i : i + ROWS_A_BATCH] for i in range(0, len(wanted), ROWS_A_BATCH))
    await hand_over(execute, (Import(follows=tuple(part)) for part in parts), summary, advance)
    return summary
