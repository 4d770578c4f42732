"""Which texts can be tweets, and which words usernames and hashtags."""

import re
from typing import Final, NamedTuple

from events.entities import Entities

from .characters import compose, is_visible
from .entities import extract, is_tag
from .errors import EmptyText, TextTooLong
from .free_text import MOST_PER_COMPOSED, check_characters, with_line_feeds
from .urls import LONGEST_URL
from .weighing import LIMIT, LONGEST_PLAIN, URL_WEIGHT, find_few_links, weigh

# No text has more code points for its weight than a single link: what is longer than this is too long without
# looking at it.
_LONGEST: Final = (LIMIT * LONGEST_URL // URL_WEIGHT + 1) * MOST_PER_COMPOSED

_USERNAME: Final = re.compile(r"[A-Za-z0-9_]{3,30}")
_LONGEST_TAG: Final = LIMIT - 1


class TweetText(NamedTuple):
    """A tweet's text as it is stored, in NFC with LF for line breaks; its weight, and the entities in it."""

    text: str
    weight: int
    entities: Entities


def read_tweet(text: str) -> TweetText:
    """Read `text` as that of a tweet: it is composed once, and searched for links once.

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
    """Say whether an account can have this name: 3 to 30 of the letters, digits and underscore of ASCII.

    The alphabet is Twitter's, the length is ours (Twitter's: 1 to 20 in twitter-text, at most 15 at sign-up).
    """
    return _USERNAME.fullmatch(name) is not None


def is_hashtag(tag: str) -> bool:
    """Say whether `#` and `tag` is a hashtag, all of it, and no longer than a tweet has room for."""
    return len(tag) <= _LONGEST_TAG and is_tag(tag)
