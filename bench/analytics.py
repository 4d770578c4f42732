"""The cost of trends and sentiment, and the agreement of scores with human labels: `python -m bench.analytics`. A
minute or two.

The figures of docs/adr/0006. The real tweets are read from ../shared/data; without them that part is left out.
"""

from __future__ import annotations

import asyncio
import csv
import html
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import accumulate
from pathlib import Path

from command_api.text.entities import extract
from events.entities import Mention
from events.ids import AccountId, Millis, TweetId, id_at
from stores.sentiment import about_tag
from stores.sqlite.sentiment import SENTIMENT, SqliteSentiment, SqliteSentimentRows
from stores.sqlite.trends import TRENDS, SqliteTrendRows, SqliteTrends
from stores.sqlite.views import Views
from stores.trends import DAY, HOUR, rank
from streams.scoring import Scorer

REAL_TWEETS = Path(__file__).parents[2] / "shared" / "data" / "airline-tweets.csv"
MIDNIGHT = Millis(1_760_054_400_000)
LABELS = ("negative", "neutral", "positive")
DAYS = 8
TAGS, AUTHORS = 100_000, 30_000


def agreement(labels: Sequence[tuple[str, str]]) -> str:
    """Return accuracy and macro-averaged F1 of pairs of given and human label."""
    f1 = []
    for label in LABELS:
        both = sum(given == people == label for given, people in labels)
        f1.append(
            2 * both / (sum(given == label for given, _ in labels) + sum(people == label for _, people in labels))
        )
    accuracy = sum(given == people for given, people in labels) / len(labels)
    return f"accuracy {accuracy:.3f}, macro F1 {sum(f1) / len(f1):.3f}"


def scoring() -> None:
    """Measure the scores of the real tweets, with and without the names they mention."""
    with REAL_TWEETS.open(newline="") as file:
        rows = {row["tweet_id"]: (html.unescape(row["text"]), row["sentiment"]) for row in csv.DictReader(file)}
    texts = [(text, extract(text).mentions, people) for text, people in rows.values()]
    scorer = Scorer()
    ways: dict[str, Callable[[Sequence[Mention]], Sequence[Mention]]] = {
        "the text as it is": lambda mentions: (),
        "without mentions": lambda mentions: mentions,
    }
    for name, of in ways.items():
        started = time.process_time()
        labels = [(scorer.score(text, of(mentions)).label, people) for text, mentions, people in texts]
        each = (time.process_time() - started) / len(texts) * 1e6
        print(f"{len(texts):,} tweets, {name}: {agreement(labels)}, {each:.0f} us each")


async def least(work: Callable[[], Awaitable[object]]) -> float:
    """Return the processor time of the fastest of five runs, in ms."""
    times = []
    for _ in range(5):
        started = time.process_time()
        await work()
        times.append((time.process_time() - started) * 1e3)
    return min(times)


async def trends(views: Views, uses_a_day: int) -> None:
    """Measure rankings of windows whose tags follow a power law."""
    randomness = random.Random(1)  # noqa: S311  # the same numbers on every run
    weights = list(accumulate(1 / place for place in range(1, TAGS + 1)))
    authors = [AccountId(id_at(MIDNIGHT, "author", str(n))) for n in range(AUTHORS)]
    rows = SqliteTrendRows(views.connection, views.names())
    with views.connection:
        for day in range(DAYS):
            for time_ms in sorted(randomness.randrange(DAY) for _ in range(uses_a_day)):
                tweet = TweetId(id_at(Millis(MIDNIGHT + day * DAY + time_ms), str(randomness.random())))
                [place] = randomness.choices(range(TAGS), cum_weights=weights)
                rows.posted(tweet, randomness.choice(authors), {f"tag{place}": f"Tag{place}"})
    reader = SqliteTrends(views.connection, views.names())
    end = Millis(MIDNIGHT + DAYS * DAY - HOUR // 2)
    for name, length in (("24h", DAY), ("6h", 6 * HOUR), ("1h", HOUR)):
        start = Millis(end - length)

        async def ranking(start: Millis = start) -> None:
            ranked = rank(await reader.numbers(start, end))
            await reader.shown([r.tag for r in ranked], start, end)

        print(f"{uses_a_day:,} uses a day, ranking {name}: {await least(ranking):.1f} ms")


async def series(views: Views, tweets: int) -> None:
    """Measure adding up the sentiment of a tag's tweets over a week."""
    randomness = random.Random(1)  # noqa: S311  # the same numbers on every run
    rows = SqliteSentimentRows(views.connection, views.names())
    author = AccountId(id_at(MIDNIGHT, "author"))
    with views.connection:
        for n in range(tweets):
            tweet = TweetId(id_at(Millis(MIDNIGHT + randomness.randrange(7 * DAY)), str(n)))
            rows.scored(tweet, author, randomness.uniform(-1, 1), ("tag",), ())
    reader = SqliteSentiment(views.connection, views.names())

    async def adding_up() -> None:
        await reader.series(about_tag("tag"), MIDNIGHT, Millis(MIDNIGHT + 7 * DAY), HOUR)

    print(f"{tweets:,} tweets in 168 steps: {await least(adding_up):.1f} ms")


async def measure() -> None:
    """Measure all of it."""
    if REAL_TWEETS.exists():
        scoring()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        for uses_a_day in (2_000, 200_000):
            views = Views(Path(place) / f"trends-{uses_a_day}.db", (TRENDS,))
            await trends(views, uses_a_day)
            views.connection.close()
        views = Views(Path(place) / "sentiment.db", (SENTIMENT,))
        await series(views, 100_000)
        views.connection.close()


if __name__ == "__main__":
    asyncio.run(measure())
