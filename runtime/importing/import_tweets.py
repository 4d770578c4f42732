"""Imports a file of tweets: reads it, leaves out known tweets, and sends accounts and tweets in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from events.ids import AccountId, Millis, id_at
from rest.times import rfc3339
from runtime.importing.messages import Import, NewAccount, NewTweet

from .batches import ROWS_A_BATCH, Execute, Summary, hand_over
from .files import ImportFile
from .history import History, KnownAccount, KnownTweet
from .tweets import Row, rows


class _Seen(NamedTuple):
    """The first row with a tweet id, to compare later rows with."""

    line: int
    at: Millis
    username: str
    text: int
    """The hash of the text."""


@dataclass
class Contents:
    """The result of the first pass over a file: its tweets, each once, and its refused rows."""

    tweets: dict[str, _Seen] = field(default_factory=dict)
    summary: Summary = field(default_factory=Summary)


def survey(source: ImportFile, now: Millis) -> Contents:
    """Read a file for the first time. Raises NotSuchAFile."""
    contents = Contents()
    summary = contents.summary
    for row in rows(source, now, summary.refuse):
        first = contents.tweets.setdefault(row.source, _seen(row))
        if first.line != row.line:
            summary.duplicates += 1
            if other := _difference(row, first):
                summary.differ(row.line, f"tweet_id {row.source} has another {other} than in line {first.line}")
        summary.rows += 1
    summary.rows += len(summary.refused)
    return contents


def _seen(row: Row) -> _Seen:
    return _Seen(row.line, row.at, row.username, hash(row.text))


def _difference(row: Row, first: _Seen) -> str:
    """Return the difference between two rows with one tweet id; empty if there is none."""
    if row.username.lower() != first.username.lower():
        return "username"
    if row.at != first.at:
        return "created_at"
    return "text" if hash(row.text) != first.text else ""


def leave_out_known(contents: Contents, accounts: Mapping[str, KnownAccount], tweets: Mapping[str, KnownTweet]) -> None:
    """Remove the tweets that are imported already, and those with another author than before."""
    summary = contents.summary
    for source, seen in list(contents.tweets.items()):
        account, there = accounts.get(seen.username.lower()), tweets.get(source)
        if account is not None and not account.imported:
            summary.refuse(seen.line, f"username {seen.username!r} is that of an account which was not imported")
        elif there is not None and (account is None or account.id != there.author):
            summary.refuse(seen.line, f"tweet_id {source} is there already, as a tweet of another account")
        elif there is not None:
            summary.there += 1
            if there.at != seen.at:
                summary.differ(seen.line, f"tweet_id {source} is there already, and stays, of {rfc3339(there.at)}")
            elif there.text is not None and hash(there.text) != seen.text:
                summary.differ(seen.line, f"tweet_id {source} is there already, and stays, with another text")
        else:
            continue
        del contents.tweets[source]


def new_accounts(contents: Contents, known: Mapping[str, KnownAccount]) -> dict[str, NewAccount]:
    """Return the accounts to import, by folded name. The same tweets give the same account ids."""
    begins: dict[str, tuple[str, Millis]] = {}
    for seen in contents.tweets.values():
        folded = seen.username.lower()
        if folded not in known:
            name, first = begins.get(folded, (seen.username, seen.at))
            begins[folded] = (name, min(first, seen.at))
    return {
        folded: NewAccount(AccountId(id_at(Millis(at - 1), "import", folded)), name, name, Millis(at - 1))
        for folded, (name, at) in begins.items()
    }


def batches(source: ImportFile, now: Millis, contents: Contents, authors: Mapping[str, AccountId]) -> Iterator[Import]:
    """Read a file for the second time and return its tweets in batches."""
    tweets: list[NewTweet] = []
    for row in rows(source, now, lambda line, reason: None):
        seen = contents.tweets.get(row.source)
        if seen is None or seen.line != row.line:
            continue
        author = authors[row.username.lower()]
        tweets.append(NewTweet(row.line, author, row.source, row.at, row.text, row.entities, row.place))
        if len(tweets) == ROWS_A_BATCH:
            yield Import(tweets=tuple(tweets))
            tweets = []
    if tweets:
        yield Import(tweets=tuple(tweets))


async def import_tweets(
    execute: Execute,
    source: ImportFile,
    history: History,
    now: Millis,
    begin: Callable[[int], None],
    advance: Callable[[int], None],
) -> Summary:
    """Import a file; `begin` receives the number of steps, `advance` the number done. Raises NotSuchAFile."""
    contents = survey(source, now)
    summary = contents.summary
    known = await history.known_accounts()
    leave_out_known(contents, known, await history.known_tweets(contents.tweets))
    fresh = new_accounts(contents, known)
    begin(len(fresh) + len(contents.tweets))
    listed = list(fresh.values())
    parts = (listed[i : i + ROWS_A_BATCH] for i in range(0, len(listed), ROWS_A_BATCH))
    await hand_over(execute, (Import(accounts=tuple(part)) for part in parts), Summary(), advance)
    authors = {folded: account.id for folded, account in known.items()}
    authors |= {folded: account.account for folded, account in fresh.items()}
    await hand_over(execute, batches(source, now, contents, authors), summary, advance)
    summary.refused.sort()
    summary.differing.sort()
    return summary
