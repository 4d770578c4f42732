"""The picture of the log and everything made from it, drawn as SVG from the catalogues of projectors and streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import cycle
from typing import Final, NamedTuple

from events.topics import DERIVED, LOGGED
from projectors import catalogue as projectors
from streams import catalogue as streams

WIDTH: Final = 1000
_TOP: Final = 96
_ROW: Final = 34
_BOX: Final = (170, 26)
_COLUMNS: Final = (30, 415, 800)
"""The left edges of source topics, streams and read models."""
_COLOURS: Final = ("#2563eb", "#059669", "#d97706", "#dc2626", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f")
_INK, _QUIET, _PAPER, _EDGE = "#1f2937", "#6b7280", "#ffffff", "#d1d5db"


class _Box(NamedTuple):
    """A box with a name, by its left edge and the height of its middle."""

    name: str
    x: float
    y: float
    colour: str


def svg() -> str:
    """The picture, as the text of an SVG file."""
    height = _TOP + _ROW * len(projectors.ALL) + 62
    read = {topic for processor in (*projectors.ALL, *streams.ALL) for topic in processor.topics()}
    topics = _boxes([topic for topic in LOGGED if topic in read], _COLUMNS[0], height, _COLOURS)
    derived = _boxes([stream.name for stream in streams.ALL], _COLUMNS[1], height, ("#475569",))
    models = _boxes([projector.model for projector in projectors.ALL], _COLUMNS[2], height, (_QUIET,))
    sources = {**topics, **derived}
    lines = [
        *(line for one in streams.ALL for line in _lines(one.topics(), sources, derived[one.name])),
        *(line for one in projectors.ALL for line in _lines(one.topics(), sources, models[one.model])),
    ]
    parts = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        ' font-family="system-ui, sans-serif" font-size="14">',
        f"<title>{len(topics)} topics of the log, {len(derived)} streams, {len(models)} read models</title>",
        f'<rect x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="12" fill="{_PAPER}" stroke="{_EDGE}"/>',
        *_heading(_COLUMNS[0], "The log", "what happened, kept for ever"),
        *_heading(_COLUMNS[1], "Streams", "derive topics from it"),
        *_heading(_COLUMNS[2], "Read models", "answer the API"),
        *lines,
        *(part for box in (*topics.values(), *derived.values(), *models.values()) for part in _drawn(box)),
        f'<text x="{WIDTH / 2:g}" y="{height - 20}" text-anchor="middle" fill="{_QUIET}">Everything to the right of the'
        " log can be built again while the server answers, and “minitwitter verify” proves it.</text>",
        "</svg>",
    )
    return "\n".join(parts) + "\n"


def _boxes(names: Sequence[str], x: float, height: float, colours: Sequence[str]) -> dict[str, _Box]:
    """Boxes below each other, with the same distance between them."""
    room = (height - 62 - _TOP) / len(names)
    placed = enumerate(zip(names, cycle(colours), strict=False))
    return {name: _Box(name, x, _TOP + room * (index + 0.5), colour) for index, (name, colour) in placed}


def _lines(topics: frozenset[str] | set[str], sources: dict[str, _Box], to: _Box) -> Iterator[str]:
    """A curve from each topic that a processor reads to what the processor makes."""
    for topic in sorted(topics, key=(*LOGGED, *DERIVED).index):
        start = sources[topic]
        x1, x2 = start.x + _BOX[0], to.x
        bend = (x2 - x1) / 2
        yield (
            f'<path d="M{x1:g} {start.y:.1f}C{x1 + bend:g} {start.y:.1f} {x2 - bend:g} {to.y:.1f} {x2:g} {to.y:.1f}"'
            f' fill="none" stroke="{start.colour}" stroke-width="1.6" opacity="0.5"/>'
        )


def _drawn(box: _Box) -> Iterator[str]:
    width, height = _BOX
    yield (
        f'<rect x="{box.x:g}" y="{box.y - height / 2:.1f}" width="{width}" height="{height}" rx="6" fill="{_PAPER}"'
        f' stroke="{box.colour}" stroke-width="1.5"/>'
    )
    yield f'<text x="{box.x + 12:g}" y="{box.y + 5:.1f}" fill="{_INK}">{escape(box.name.replace("_", " "))}</text>'


def _heading(x: float, text: str, below: str) -> Iterator[str]:
    yield f'<text x="{x}" y="40" font-size="19" font-weight="600" fill="{_INK}">{text}</text>'
    yield f'<text x="{x}" y="62" fill="{_QUIET}">{below}</text>'
