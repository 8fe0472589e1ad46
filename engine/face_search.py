"""Where the detector looks: the whole picture, then squares of it, for faces far from the camera.

The detector shrinks what it is shown to 128 pixels. In the whole of a Full HD picture it would see
no face with less than 140 pixels between the eyes, in squares of a quarter of its width one of 40.
"""

from __future__ import annotations

import math

from .face_models import Region

DETECTABLE = 0.075
"""Outer-eye-corner distance over the side of the square shown, above which a face is found: at it
20 of 20 faces of the Face Research Lab London set pasted into gray pictures were, at 0.056 8 of 20."""
LEAST_OED = 16.0
"""Pixels; the face models see nothing in a smaller face, and it would take hundreds of squares."""
OVERLAP = 1 / 3
"""Share of a square that its neighbour sees too: a face twice as wide as the smallest that is sought."""


def squares(width: int, height: int, oed: float) -> list[Region]:
    """Squares of the picture, so that every face with this outer-eye-corner distance (pixels) is large
    enough in one of them: first the whole, then smaller ones, from large to small.
    """
    oed = max(oed, LEAST_OED)
    short, long = sorted((float(width), float(height)))
    found = [Region(width / 2, height / 2, long)]
    side = short if long / 2 <= short < 0.9 * long else long / 2
    while found[-1].size * DETECTABLE > oed and short > oed:
        found += [Region(x, y, side) for y in _centres(height, side) for x in _centres(width, side)]
        side /= 2
    return found


def _centres(length: int, side: float) -> list[float]:
    """Middles of overlapping pieces that cover the length."""
    if length <= side:
        return [length / 2]
    steps = math.ceil((length - side) / (side * (1 - OVERLAP)))
    return [side / 2 + (length - side) * i / steps for i in range(steps + 1)]
