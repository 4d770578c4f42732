"""The judgement at the end of a run: every law that can be read off the files, and every answer of the system."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from command_api.text.entities import extract
from events.entities import fold_tag
from events.ids import Millis, millis
from rest.times import rfc3339
from runtime.embedded.verify import verify
from stores.trends import DAYS_BEFORE, HOUR, WINDOWS, RankedTag, TagNumbers, WindowNumbers, rank
from streams.scoring import Scorer

from .clients import TAGS
from .laws import require
from .model import Model
from .process import Process

DAY = 24 * HOUR
_scorer = Scorer()


async def judge_views(directory: Path) -> None:
    """Everything derived from the log is what the log says (laws 2 to 4)."""
    verdict = await verify(directory, None, lambda steps: None, lambda steps: None)
    differing = [f"{f.kind} {f.name}: {f.live} live, {f.rebuilt} rebuilt" for f in verdict.findings if not f.same]
    require(not differing, f"verify finds differences: {differing}")


async def judge_analytics(process: Process, model: Model, now: int) -> None:
    """Trends and sentiment count every tweet once, by its own time, whenever it came."""
    end = Millis((now // HOUR + 1) * HOUR)
    for window, length in WINDOWS.items():
        body = await _get(process, f"/trends?window={window}&at={rfc3339(end)}")
        told = [(fold_tag(i["tag"]), i["count"], i["authors"], i["expected"], i["score"]) for i in body["items"]]
        due = [tuple(ranked) for ranked in ranking(model, end - length, end)]
        require(told == due, f"the trends of {window} are {told}, and should be {due}")
    for tag in TAGS:
        since, until = rfc3339(Millis(end - 10 * DAY)), rfc3339(Millis(end + DAY))
        body = await _get(process, f"/sentiment?tag={quote(tag)}&from={since}&to={until}&step=1d")
        counted: Counter[str] = Counter()
        for step in body["items"]:
            counted.update({label: step[label] for label in ("positive", "neutral", "negative")})
        mood = Counter(label_of(one.text.text) for one in model.tweets.values() if _counts(one, tag))
        require(+counted == mood, f"#{tag} has the moods {dict(counted)}, and should have {dict(mood)}")


async def _get(process: Process, target: str) -> Any:
    answer = await process.request("GET", target)
    require(answer.status == 200, f"GET {target} was answered {answer.status}: {answer.body!r}")
    return answer.json()


def _counts(one: Any, tag: str) -> bool:
    return not one.deleted and tag in one.text.tags


def label_of(text: str) -> str:
    """How a text reads."""
    return _scorer.score(text, extract(text).mentions).label


def ranking(model: Model, start: int, end: int) -> list[RankedTag]:
    """The trends of a window of whole hours, from the set of uses."""
    uses = [
        (millis(one.id) // HOUR, fold_tag(tag), one.author)
        for one in model.tweets.values()
        if not one.deleted
        for tag in one.text.tags
    ]
    inside = [use for use in uses if start <= use[0] * HOUR < end]
    windows = [(start - day * DAY, end - day * DAY) for day in range(1, DAYS_BEFORE + 1)]
    before = [{use for use in uses if first <= use[0] * HOUR < last} for first, last in windows]
    numbers = []
    for tag in {tag for _, tag, _ in inside}:
        authors = Counter(author for _, used, author in inside if used == tag)
        numbers.append(
            TagNumbers(
                tag,
                uses=authors.total(),
                authors=len(authors),
                repeaters=sum(count > 1 for count in authors.values()),
                author_hours=len({use for use in inside if use[1] == tag}),
                before=sum(use[1] == tag for day in before for use in day),
            )
        )
    return rank(WindowNumbers(numbers, sum(map(bool, before))))
