"""Check the text of tweets, user names and hashtags."""

import re
from typing import Final, NamedTuple

from events.entities import Entities

from .characters import compose, is_visible
from .entities import extract, is_tag
from .errors import EmptyText, TextTooLong
from .free_text import MOST_PER_COMPOSED, check_characters, with_line_feeds
from .urls import LONGEST_URL
from .weighing import LIMIT, LONGEST_PLAIN, URL_WEIGHT, find_few_links, weigh

# A single link has the most code points for its weight: a longer text is too long without weighing.
_LONGEST: Final = (LIMIT * LONGEST_URL // URL_WEIGHT + 1) * MOST_PER_COMPOSED

_USERNAME: Final = re.compile(r"[A-Za-z0-9_]{3,30}")
_LONGEST_TAG: Final = LIMIT - 1


class TweetText(NamedTuple):
    """A tweet's text as it is stored, in NFC with LF for line breaks; its weight, and the entities in it."""

    text: str
    weight: int
    entities: Entities


def read_tweet(text: str) -> TweetText:
    """Check and parse the text of a tweet: compose it once, and search it for links once.

    Raises a `TextError` if it cannot be a tweet.
    """
    if len(text) > _LONGEST:
        raise TextTooLong(LIMIT + 1, LIMIT)
    check_characters(text)
    text = with_line_feeds(text)
    if not is_visible(text):
        raise EmptyText
    if "." not in text and len(text) > LONGEST_PLAIN * MOST_PER_COMPOSED:  # composing takes longer than all else
        raise TextTooLong(LIMIT + 1, LIMIT)
    text = compose(text)
    links = find_few_links(text)
    if links is None:
        raise TextTooLong(LIMIT + 1, LIMIT)
    weight = weigh(text, links)
    if weight > LIMIT:
        raise TextTooLong(weight, LIMIT)
    return TweetText(text, weight, extract(text, links))


def is_username(name: str) -> bool:
    """Say whether this is a valid user name: 3 to 30 ASCII letters, digits and underscores.

    Twitter has the same characters, but other lengths: 1 to 20 in twitter-text, at most 15 at sign-up.
    """
    return _USERNAME.fullmatch(name) is not None


def is_hashtag(tag: str) -> bool:
    """Say whether `#` and all of `tag` is one hashtag that fits into a tweet."""
    return len(tag) <= _LONGEST_TAG and is_tag(tag)
