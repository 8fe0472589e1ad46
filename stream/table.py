"""Events and frame rows as the columns of the output contract (docs/output.md), for every writer.

CSV, JSON lines and the tables in Python hold the same numbers, rounded here once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..engine.explain import Shift
from .columns import event_columns, names
from .events import Event, FrameRow

SCHEMA = 1
"""Version of the columns; it rises when one is renamed, removed or changes its meaning."""


def event_values(event: Event, aus: Sequence[str]) -> tuple[int | float | str, ...]:
    """The values under `event_columns(aus)`; times to the microsecond, scores to 1e-4."""
    return (
        event.event_id,
        event.face_id,
        event.onset_frame,
        event.apex_frame,
        event.offset_frame,
        round(event.onset_s, 6),
        round(event.apex_s, 6),
        round(event.offset_s, 6),
        round(event.score, 4),
        event.aus,
        event.emotion,
        round(event.emotion_score, 4),
        ";".join(event.flags),
        *(round(event.probabilities[au], 4) for au in aus),
    )


def event_record(event: Event, aus: Sequence[str], *, explain: bool = False) -> dict[str, object]:
    """What a line of events.jsonl holds: the columns, then what a table has no place for."""
    record: dict[str, object] = dict(zip(names(event_columns(aus)), event_values(event, aus), strict=True))
    record["duration_ms"] = round(1000 * (event.offset_s - event.onset_s), 3)
    record["amplitude"] = round(event.amplitude, 3)
    record["sides"] = sides_record(event.sides)
    if explain:
        record["explanation"] = explanation_record(event.explanation)
    return record


def sides_record(sides: Mapping[str, tuple[float, float]]) -> dict[str, dict[str, float]]:
    """Probabilities of the subject's left and right, for JSON."""
    return {au: {"L": round(left, 4), "R": round(right, 4)} for au, (left, right) in sides.items()}


def explanation_record(movements: Sequence[Shift]) -> list[dict[str, object]]:
    """Measured movements for JSON; dx to the picture's right, dy down, percent of eye distance."""
    return [
        {
            "place": movement.place,
            "dx": round(movement.shift[0], 3),
            "dy": round(movement.shift[1], 3),
            "predicted_by": movement.predicted_by,
            "agreement": round(movement.agreement, 3),
        }
        for movement in movements
    ]


def frame_values(row: FrameRow) -> tuple[int | float | str, ...]:
    """The values under `FRAME_COLUMNS`."""
    return (
        row.frame,
        round(row.timestamp, 6),
        row.face_id,
        round(row.confidence, 4),
        int(row.success),
        round(row.motion, 4),
        round(row.oed, 2),
        *(round(edge, 1) for edge in row.box),
        *(round(angle, 2) for angle in row.pose),
        round(row.eye_opening, 4),
        row.missing,
        int(row.duplicate),
        ";".join(row.flags),
    )
