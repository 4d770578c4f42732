"""The names and texts of the demo community. `{}` is replaced by a thing of the interest."""

from __future__ import annotations

from typing import NamedTuple


class Interest(NamedTuple):
    """A subject that people write about: its tag, its things, and positive, neutral and negative sentences
    about them.
    """

    tag: str
    things: tuple[str, ...]
    good: tuple[str, ...]
    plain: tuple[str, ...]
    bad: tuple[str, ...]


GOOD = (
    "I love {}, best part of my day",
    "{} made me so happy today!",
    "what a wonderful morning with {} 😊",
    "really impressed by {}, great work",
    "can't stop smiling about {}",
)
PLAIN = (
    "anyone else looking into {}?",
    "thread on {} coming later",
    "notes on {} from this week",
    "{}, day three",
    "reading about {} on the train",
    "question for those who know {}: where do you start?",
)
BAD = (
    "so disappointed by {} again",
    "{} is a mess, what a waste of an evening",
    "I hate it when {} goes wrong 😞",
    "terrible luck with {} today",
    "{} is driving me mad, nothing works",
)

INTERESTS: tuple[Interest, ...] = (
    Interest("Baking", ("sourdough", "rye bread", "croissants", "this oven"), GOOD, PLAIN, BAD),
    Interest("Cycling", ("the new cycle lane", "gravel riding", "my commute", "this headwind"), GOOD, PLAIN, BAD),
    Interest("Astronomy", ("the Perseids", "Saturn's rings", "my old telescope", "light pollution"), GOOD, PLAIN, BAD),
    Interest("Python", ("type checkers", "asyncio", "packaging", "this code review"), GOOD, PLAIN, BAD),
    Interest("Gardening", ("tomatoes", "the compost heap", "slugs", "winter salad"), GOOD, PLAIN, BAD),
    Interest("Jazz", ("Coltrane", "the open session", "a borrowed trumpet", "odd metres"), GOOD, PLAIN, BAD),
    Interest("Football", ("the derby", "our goalkeeper", "the offside rule", "extra time"), GOOD, PLAIN, BAD),
    Interest("Books", ("short stories", "the library sale", "this translation", "chapter nine"), GOOD, PLAIN, BAD),
    Interest("Climate", ("heat pumps", "the flood map", "night trains", "solar on our roof"), GOOD, PLAIN, BAD),
    Interest("Coffee", ("flat whites", "a hand grinder", "the office machine", "cold brew"), GOOD, PLAIN, BAD),
)

TREND = Interest(
    "NorthernLights",
    ("the northern lights", "green curtains over the harbour", "an aurora this far south", "that red sky"),
    ("wow, {}! Absolutely beautiful", "{} tonight, the best thing I have ever seen 😍", "so lucky to have seen {}"),
    ("is that {}?", "look north, {} right now", "photos of {} anyone?"),
    ("clouds. I missed {}, so sad", "everyone posts {} and I see nothing but rain 😭"),
)

REPLIES = (
    "this is great, thank you!",
    "I had no idea",
    "same here",
    "tell me more?",
    "not sure I agree, but interesting",
    "that sounds awful, sorry",
    "love this ❤️",
    "where was that?",
    "ha, brilliant",
    "I wish it were that simple",
)

FIRST = (
    "amira", "bo", "carla", "dmitri", "esra", "finn", "grete", "hugo", "ines", "jonas", "kaya", "lena", "milo",
    "nadia", "otto", "priya", "quinn", "rosa", "sven", "tara", "uma", "victor", "wanda", "xenia", "yusuf", "zoe",
)  # fmt: skip
LAST = (
    "archer", "baker", "cooper", "dyer", "fisher", "gardner", "hunter", "joiner", "keeper", "mason", "miller",
    "potter", "rider", "sailor", "smith", "tailor", "turner", "weaver",
)  # fmt: skip

BIOS = (
    "mostly {}",
    "{}, tea and long walks",
    "here for {}",
    "{} by day, {} by night",
    "opinions about {} are my own",
)
