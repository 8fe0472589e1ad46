"""An event in words, as a candidate: for the terminal, the overlay and the window."""

from __future__ import annotations

from collections.abc import Iterator

from ..engine.aus import UNITS
from ..engine.describe import Decided
from ..engine.explain import Shift
from .events import Event
from .wording import clock

EXPLAINED = 8
"""Movements that an explanation lists for a reader; the JSON has them all."""

SUREST = 0.99
"""Score that is shown at most: 1.00 would be read as certain."""


def describe(event: Event, *, explain: bool = False) -> Iterator[str]:
    """An event in words, one line; with `explain` one more line for each movement."""
    duration = 1000 * (event.offset_s - event.onset_s)
    facts = [
        f"{clock(event.onset_s, 3)}  {duration:3.0f} ms",
        f"{'movement' if event.macro else 'candidate'} {min(event.score, SUREST):.2f}",
        ", ".join(name_unit(unit) for unit in event.units) or "no unit decided",
        f"peak {event.amplitude:.1f} % of eye distance",
    ]
    if event.face_id:
        facts.insert(1, f"face {event.face_id}")
    if event.emotion not in ("", "other"):
        facts.append(f"reads as {event.emotion} ({event.emotion_score:.2f})")
    yield "  ".join([*facts, cautions(event)]).rstrip()
    if explain:
        yield from map(describe_movement, event.explanation[:EXPLAINED])


def cautions(event: Event) -> str:
    """What speaks against taking the event at its word; '' where nothing does."""
    flags = [flag.replace("_", " ") for flag in event.flags if flag != "macro"]
    return f"caution: {', '.join(flags)}" if flags else ""


def name_unit(unit: Decided) -> str:
    """A unit with its FACS name.

    >>> name_unit(Decided(12, "L"))
    'AU12 lip corner puller (left)'
    """
    name = f" {UNITS[unit.au].name.lower()}" if unit.au in UNITS else ""
    side = {"L": " (left)", "R": " (right)"}.get(unit.side, "")
    return f"AU{unit.au}{name}{side}"


def describe_movement(movement: Shift) -> str:
    """One line of an explanation.

    >>> describe_movement(Shift(291, "left mouth corner", (1.0, -1.7), "AU12", 0.97))
    '    left mouth corner: 2.0 % up and to the right of the picture, as AU12 predicts (agreement 0.97)'
    """
    dx, dy = movement.shift
    length = (dx**2 + dy**2) ** 0.5
    text = f"    {movement.place}: {length:.1f} % {direction(dx, dy)}"
    if not movement.predicted_by:
        return f"{text}, predicted by no decided unit"
    verb = "as" if movement.agreement > 0.5 else "not as"
    return f"{text}, {verb} {movement.predicted_by} predicts (agreement {movement.agreement:.2f})"


def direction(dx: float, dy: float) -> str:
    """Which way a point moved, in words; x to the picture's right, y down.

    >>> direction(0.1, -2.0), direction(1.0, 0.1)
    ('up', 'to the right of the picture')
    """
    vertical = ("up" if dy < 0 else "down") if abs(dy) > 0.4 * abs(dx) else ""
    horizontal = f"to the {'right' if dx > 0 else 'left'} of the picture" if abs(dx) > 0.4 * abs(dy) else ""
    return " and ".join(part for part in (vertical, horizontal) if part) or "not at all"
