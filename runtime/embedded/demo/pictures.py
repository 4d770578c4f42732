"""Draws the demo's pictures from a seed: faces of squares for accounts, night skies for tweets.

They are small (an avatar has 150 bytes, a sky 15 kB), and free of anybody's rights.
"""

from __future__ import annotations

import math
from colorsys import hls_to_rgb
from io import BytesIO
from random import Random

from PIL import Image, ImageDraw, ImageFilter

AVATAR = 160
SKY = (960, 540)
_CELLS = 5
_MARGIN = 20
_RIDGES = 3

Colour = tuple[int, int, int]


def _colour(hue: float, lightness: float, saturation: float) -> Colour:
    red, green, blue = hls_to_rgb(hue % 1, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def avatar(name: str) -> bytes:
    """Return a PNG: five by five squares, mirrored, in a colour derived from the name."""
    random = Random(f"avatar {name}")  # noqa: S311  # drawn, not kept secret
    hue = random.random()
    image = Image.new("RGB", (AVATAR, AVATAR), _colour(hue, 0.92, 0.5))
    draw, side = ImageDraw.Draw(image), (AVATAR - 2 * _MARGIN) // _CELLS
    ink = _colour(hue + random.uniform(-0.08, 0.08), 0.42, 0.55)
    for column in range((_CELLS + 1) // 2):
        for row in range(_CELLS):
            if random.random() < 0.55:
                for place in {column, _CELLS - 1 - column}:
                    left, top = _MARGIN + place * side, _MARGIN + row * side
                    draw.rectangle((left, top, left + side - 1, top + side - 1), fill=ink)
    return _saved(image.quantize(8), "PNG", optimize=True)


def sky(seed: str) -> bytes:
    """Return a JPEG: an aurora over hills, with stars."""
    random = Random(f"sky {seed}")  # noqa: S311  # as above
    width, height = SKY
    image = Image.new("RGB", SKY)
    draw = ImageDraw.Draw(image)
    for y in range(height):
        draw.line((0, y, width, y), fill=_colour(0.62, 0.05 + 0.14 * y / height, 0.6))
    for _ in range(140):
        x, y = random.randrange(width), random.randrange(height * 2 // 3)
        draw.point((x, y), fill=_colour(0.15, random.uniform(0.6, 1), 0.3))
    image = _with_curtains(image, random)
    draw = ImageDraw.Draw(image)
    for ridge in range(_RIDGES):
        draw.polygon(_hills(random, height * (0.68 + 0.11 * ridge)), fill=_colour(0.6, 0.09 - 0.025 * ridge, 0.4))
    return _saved(image, "JPEG", quality=72)


def _with_curtains(image: Image.Image, random: Random) -> Image.Image:
    """Draw bands of light that hang from a wave."""
    width, height = SKY
    light = Image.new("RGB", SKY)
    draw = ImageDraw.Draw(light)
    for _ in range(random.randint(2, 3)):
        hue, phase = random.choice((0.36, 0.4, 0.44, 0.9)), random.uniform(0, math.tau)
        base, reach, waves = random.uniform(0.2, 0.45), random.uniform(0.2, 0.4), random.uniform(1, 2.5)
        for x in range(0, width, 3):
            swing = math.sin(phase + waves * math.tau * x / width)
            bottom = height * (base + 0.1 * swing) + random.uniform(-6, 6)
            top = bottom - height * reach * (0.7 + 0.3 * math.sin(phase + 5 * math.tau * x / width))
            draw.line((x, top, x, bottom), fill=_colour(hue, 0.38 + 0.08 * swing, 0.8), width=3)
    glow = light.filter(ImageFilter.GaussianBlur(14))
    return Image.blend(
        image, Image.composite(glow, image, glow.convert("L").point(lambda value: min(255, value * 2))), 0.9
    )


def _hills(random: Random, height: float) -> list[tuple[float, float]]:
    width, bottom = SKY
    phases = [random.uniform(0, math.tau) for _ in range(3)]
    line = [
        (
            float(x),
            height + sum(18 / n * math.sin(phase + n * math.tau * x / width) for n, phase in enumerate(phases, 1)),
        )
        for x in range(0, width + 1, 8)
    ]
    return [(0.0, float(bottom)), *line, (float(width), float(bottom))]


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()
