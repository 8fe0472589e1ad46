"""What comes out: one Event per movement, one FrameRow per frame and face.

The written form (column names, order, units) is fixed by docs/output.md and made in `sinks/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..engine.describe import Decided
from ..engine.explain import Shift

FLAGS = (
    "blink", "gaze", "speech", "swallow", "head", "gap", "flicker", "small_face", "low_rate", "macro",
)  # fmt: skip
"""The closed list of confounds, in the order in which they are written."""


@dataclass(frozen=True, slots=True)
class Event:
    """One facial movement: a candidate to be looked at, not a verdict."""

    event_id: int
    """From 0, in order of decision."""
    face_id: int
    onset_frame: int
    apex_frame: int
    offset_frame: int
    """The input's own frames, from 0 in decode order."""
    onset_s: float
    apex_s: float
    offset_s: float
    """Presentation time in seconds since the first frame."""
    score: float
    """0..1, how sure the spotter is of a facial movement of micro-expression length."""
    amplitude: float
    """Largest movement of a point at the apex, percent of the outer-eye-corner distance."""
    units: tuple[Decided, ...]
    """Action units decided present, ascending."""
    emotion: str
    """'positive', 'negative', 'surprise' or 'other'; '' with --au-only."""
    emotion_score: float
    flags: tuple[str, ...]
    """Confounds, from FLAGS, in that order."""
    probabilities: dict[str, float] = field(default_factory=dict)
    """'AU01' -> calibrated probability 0..1, every unit of the model."""
    sides: dict[str, tuple[float, float]] = field(default_factory=dict)
    """'AU12' -> probability of the subject's left and right, for the units with two sides."""
    explanation: tuple[Shift, ...] = ()
    """Largest movements first."""

    @property
    def aus(self) -> str:
        """Units as written in the table: `1+2`, `L12`."""
        return "+".join(str(unit) for unit in self.units)

    @property
    def macro(self) -> bool:
        return "macro" in self.flags


@dataclass(frozen=True, slots=True)
class FrameRow:
    """What was measured on one face in one frame; also where no face was found."""

    frame: int
    timestamp: float
    """Seconds since the first frame, presentation time."""
    face_id: int
    """-1 where no face was found."""
    confidence: float
    """0..1, of the face; 0 where none."""
    success: bool
    """False: no face, or one too small to measure."""
    motion: float
    """The spotting signal: largest regional displacement from rest, percent of the outer-eye-corner
    distance, head motion removed. 0 where success is False."""
    oed: float = 0.0
    """Outer-eye-corner distance in pixels."""
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Left, top, right, bottom in pixels."""
    pose: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Yaw, pitch, roll in degrees, as in `engine.records.Face`."""
    eye_opening: float = 0.0
    """Lid gap over eye width, mean of both eyes; about 0.3 open, under 0.15 shut."""
    missing: int = 0
    """Frames lost just before this one."""
    duplicate: bool = False
    flags: tuple[str, ...] = ()
    """Confounds seen in this frame, from FLAGS."""
