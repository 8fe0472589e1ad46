"""What a face does at one instant: how far each muscle has moved the skin, the gaze and the head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Head:
    """Head motion away from the rest pose."""

    yaw: float = 0.0
    """Degrees; > 0 turns the nose towards the picture's right."""
    pitch: float = 0.0
    """Degrees; > 0 turns the nose up."""
    roll: float = 0.0
    """Degrees; > 0 clockwise as seen in the picture."""
    x: float = 0.0
    """Percent of the eye distance, to the picture's right."""
    y: float = 0.0
    """Down."""
    z: float = 0.0
    """Away from the camera."""


@dataclass(frozen=True, slots=True)
class State:
    """One instant."""

    units: Mapping[str, float] = field(default_factory=dict)
    """Channel of `fields.CHANNELS` -> displacement of its most moved landmark, percent OED."""
    gaze: tuple[float, float] = (0.0, 0.0)
    """Shift of both irises, percent OED, x to the picture's right, y down."""
    head: Head = Head()
    closure: float = 0.0
    """0 eyes as at rest, 1 shut by a blink: the share of the person's own lid opening."""


REST = State()
