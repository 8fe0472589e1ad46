"""Drawing on RGB pictures: text with a shade behind it, thin lines, colours that are told apart.

Pictures are (H, W, 3) uint8 RGB and drawn in place; points are (x, y) pixels.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..engine.records import Rgb

Colour = tuple[int, int, int]
WHITE: Colour = (240, 242, 244)
GRAY: Colour = (150, 156, 164)
DARK: Colour = (18, 21, 26)
AMBER: Colour = (255, 190, 60)
BLUE: Colour = (130, 170, 210)
FACE_COLOURS: tuple[Colour, ...] = ((95, 215, 175), (120, 180, 255), (235, 140, 200), (210, 200, 110))
"""Of face 0, 1, 2, ...; told apart also by those who do not see red and green apart."""
FONT = cv2.FONT_HERSHEY_SIMPLEX
SUBPIXEL = 4
"""Bits of fraction in the coordinates that OpenCV draws to."""


def face_colour(face_id: int) -> Colour:
    """The colour of a face, its box and its trace."""
    return FACE_COLOURS[face_id % len(FACE_COLOURS)]


def line_width(size: float) -> int:
    """Width of a thin line that goes with text of this size."""
    return max(1, round(size / 14))


def text_width(text: str, size: float) -> int:
    """Pixels that a text takes, `size` being the height of a line."""
    return int(cv2.getTextSize(text, FONT, size / 30, line_width(size))[0][0])


def put_text(picture: Rgb, text: str, at: tuple[float, float], size: float, colour: Colour = WHITE) -> None:
    """Write a text; `at` is the left end of its base line, `size` the height of a line in pixels."""
    place = (round(at[0]), round(at[1]))
    cv2.putText(picture, text, place, FONT, size / 30, colour, line_width(size), cv2.LINE_AA)


def fit_text(text: str, size: float, width: float) -> str:
    """The text, cut with dots where it is wider than `width` pixels."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(f"{text}...", size) > width:
        text = text[:-1]
    return f"{text.rstrip()}..."


def shade(
    picture: Rgb, box: tuple[float, float, float, float], colour: Colour = DARK, opacity: float = 0.7
) -> None:
    """Lay a colour over the box (left, top, right, bottom), as much of it as lies in the picture."""
    height, width = picture.shape[:2]
    left, right = (int(np.clip(round(x), 0, width)) for x in (box[0], box[2]))
    top, bottom = (int(np.clip(round(y), 0, height)) for y in (box[1], box[3]))
    part = picture[top:bottom, left:right]
    if part.size:
        flat = np.broadcast_to(np.array(colour, np.uint8), part.shape)
        picture[top:bottom, left:right] = cv2.addWeighted(part, 1 - opacity, flat, opacity, 0)


def draw_lines(
    picture: Rgb,
    lines: Iterable[NDArray[np.floating]],
    colour: Colour,
    width: int = 1,
    *,
    closed: bool = False,
) -> None:
    """Draw lines through points (n, 2), smooth to a sixteenth of a pixel."""
    fixed = [np.round(line[:, :2] * (1 << SUBPIXEL)).astype(np.int32) for line in lines]
    cv2.polylines(picture, fixed, closed, colour, width, cv2.LINE_AA, SUBPIXEL)
