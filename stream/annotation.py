"""An annotated picture: faces with their outlines, the events of the moment, the trace below.

Used by the overlay video and by the live window. Sizes follow the picture, so that the writing is as
readable at 360 lines as at 2160.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..engine.records import Face, Frame, Rgb
from .drawing import (
    AMBER,
    BLUE,
    DARK,
    GRAY,
    WHITE,
    Colour,
    draw_lines,
    face_colour,
    fit_text,
    line_width,
    put_text,
    shade,
    text_width,
)  # fmt: skip
from .event_words import cautions, name_unit
from .events import Event
from .trace import Trace
from .wording import clock

# Outlines of MediaPipe's face mesh, from its FACEMESH_* connections.
OUTLINES = tuple(
    np.array(points)
    for points in (
        (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185, 61),
        (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191, 78),
        (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246, 33),
        (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466, 263),
        (46, 53, 52, 65, 55, 107, 66, 105, 63, 70, 46),
        (276, 283, 282, 295, 285, 336, 296, 334, 293, 300, 276),
        (168, 6, 197, 195, 5, 4),
        (98, 97, 2, 326, 327),
    )
)
IRISES = (slice(468, 473), slice(473, 478))
"""Centre first, then four points of the rim."""


def text_size(height: int, width: int) -> float:
    """Height of a line of text in pixels: 15 at 640x360, 60 at 3840x2160."""
    return float(np.clip(min(height / 30, width / 40), 11, 64))


def strip_height(height: int, width: int) -> int:
    """Rows of the trace below a picture of this size."""
    return round(max(0.17 * height, 4 * text_size(height, width)))


def canvas_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the annotated picture, even, as video encoders want it."""
    rows = height + strip_height(height, width)
    return rows + rows % 2, width + width % 2


def annotate(
    frame: Frame,
    faces: Sequence[Face],
    events: Sequence[Event],
    trace: Trace,
    too_small: Collection[int] = (),
) -> Rgb:
    """Draw a frame with its faces and trace.

    events     all that may touch the strip; those whose span holds the frame are written at their face
    too_small  numbers of faces that could not be measured, drawn in gray
    return     (rows, columns) of `canvas_size`, 3
    """
    height, width = frame.picture.height, frame.picture.width
    size = text_size(height, width)
    canvas = np.empty((*canvas_size(height, width), 3), np.uint8)
    canvas[:] = DARK
    canvas[:height, :width] = frame.picture.rgb()
    picture = canvas[:height, :width]
    for face in faces:
        draw_face(picture, face, size, GRAY if face.face_id in too_small else face_colour(face.face_id))
        if face.face_id in too_small:
            put_text(picture, "too small", (face.box[0], face.box[3] + size), 0.85 * size, GRAY)
        now = [e for e in events if e.face_id == face.face_id and e.onset_s <= frame.time <= e.offset_s]
        draw_labels(picture, face, now, frame.time, size)
    _draw_corner(picture, frame, faces, size)
    trace.draw(canvas[height:], frame.time, events, size)
    return canvas


def draw_face(picture: Rgb, face: Face, size: float, colour: Colour) -> None:
    """Outlines of brows, eyes, nose and mouth, and the corners of the box."""
    thin = line_width(0.7 * size)
    draw_lines(picture, [face.points[outline, :2] for outline in OUTLINES], colour, thin)
    draw_lines(picture, [_circle(face.points[iris, :2]) for iris in IRISES], colour, thin, closed=True)
    left, top, right, bottom = face.box
    arm = 0.12 * (right - left)
    for x, y, dx, dy in (
        (left, top, arm, arm),
        (right, top, -arm, arm),
        (left, bottom, arm, -arm),
        (right, bottom, -arm, -arm),
    ):
        corner = np.array([(x + dx, y), (x, y), (x, y + dy)])
        draw_lines(picture, [corner], colour, line_width(1.4 * size))


def _circle(iris: NDArray[np.float32]) -> NDArray[np.float32]:
    """A circle (24, 2) about the centre (first) of an iris through its rim (the rest)."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radius = np.linalg.norm(iris[1:] - iris[0], axis=1).mean()
    return np.asarray(iris[0] + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1), np.float32)


def draw_labels(picture: Rgb, face: Face, events: Sequence[Event], moment: float, size: float) -> None:
    """What moves just now, beside the face: above its box, or inside its top where there is no room."""
    left, top, _, _ = face.box
    for event in events:
        lines = label(event)
        width = max(text_width(line, size) for line in lines) + size
        height = (1.25 * len(lines) + 0.8) * size
        x = float(np.clip(left, 0, max(0, picture.shape[1] - width)))
        y = max(0.0, top - height - 0.4 * size)
        colour = BLUE if event.macro else AMBER
        shade(picture, (x, y, x + width, y + height))
        for i, line in enumerate(lines):
            place = (x + 0.5 * size, y + (1.25 * i + 1.1) * size)
            put_text(
                picture, fit_text(line, size, picture.shape[1] - size), place, size, WHITE if i else colour
            )
        _draw_course(picture, event, moment, (x, y + height, width), size, colour)
        top = y


def label(event: Event) -> list[str]:
    """The lines of an event's label; worded as a candidate."""
    duration = 1000 * (event.offset_s - event.onset_s)
    kind = "macro movement" if event.macro else "candidate"
    facts = f"{kind} {event.score:.2f}  {duration:.0f} ms  {event.amplitude:.1f} %"
    lines = [", ".join(name_unit(unit) for unit in event.units) or "movement, no unit decided", facts]
    if event.emotion not in ("", "other"):
        lines[1] += f"  {event.emotion}"
    return lines + [line for line in [cautions(event)] if line]


def _draw_course(
    picture: Rgb,
    event: Event,
    moment: float,
    place: tuple[float, float, float],
    size: float,
    colour: Colour,
) -> None:
    """A thin bar at the foot of a label: how far the event has come, with a tick at its apex."""
    x, bottom, width = place
    span = max(event.offset_s - event.onset_s, 1e-6)
    thick = max(2, round(size / 6))
    shade(picture, (x, bottom - thick, x + width, bottom), GRAY, 0.5)
    shade(picture, (x, bottom - thick, x + width * (moment - event.onset_s) / span, bottom), colour, 1.0)
    apex = x + width * (event.apex_s - event.onset_s) / span
    cv2.line(picture, (round(apex), round(bottom - 2 * thick)), (round(apex), round(bottom)), WHITE, thick)


def _draw_corner(picture: Rgb, frame: Frame, faces: Sequence[Face], size: float) -> None:
    """Time and frame number, top left; whether there is a face."""
    text = f"{clock(frame.time, 3)}  frame {frame.index}"
    if not faces:
        text += "  no face found"
    shade(picture, (0, 0, text_width(text, 0.9 * size) + size, 1.5 * size), DARK, 0.55)
    put_text(picture, text, (0.5 * size, 1.1 * size), 0.9 * size)
