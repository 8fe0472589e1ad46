"""The columns of the tables, each with its type, unit and meaning: what the files say of themselves.

They stand in the order of the output contract; docs/output.md says more. `run.json` carries them, so that
a table can be understood without the program that wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    name: str
    kind: type
    """int, float or str."""
    unit: str
    """Empty where it has none."""
    meaning: str


EVENT_COLUMNS = (
    Column("event_id", int, "", "from 0, in order of decision"),
    Column("face_id", int, "", "from 0, in order of appearance"),
    Column("onset_frame", int, "frames", "where the movement begins; frames count from 0 in decode order"),
    Column("apex_frame", int, "frames", "where it is largest"),
    Column("offset_frame", int, "frames", "where it is over"),
    Column("onset_s", float, "s", "presentation time since the first frame"),
    Column("apex_s", float, "s", "presentation time since the first frame"),
    Column("offset_s", float, "s", "presentation time since the first frame"),
    Column("score", float, "0..1", "how sure the spotter is of a movement of micro-expression length"),
    Column("aus", str, "", "action units decided present, joined by +; L or R (the subject's): one side"),
    Column("emotion", str, "", "positive, negative, surprise or other; empty with --au-only"),
    Column("emotion_score", float, "-1..1", "similarity with the sentences of that class"),
    Column("flags", str, "", "what may have disturbed it, joined by ;"),
)
"""Before one column for each action unit of the model."""

FRAME_COLUMNS = (
    Column("frame", int, "frames", "number in decode order, from 0"),
    Column("timestamp", float, "s", "presentation time since the first frame"),
    Column("face_id", int, "", "from 0, in order of appearance; -1: no face was found"),
    Column("confidence", float, "0..1", "of the face models"),
    Column("success", int, "0, 1", "1: the face could be measured"),
    Column("motion", float, "% OED", "how far the region that moved most is from its rest"),
    Column("oed", float, "px", "distance between the outer eye corners"),
    Column("box_left", float, "px", "box of the face's points"),
    Column("box_top", float, "px", "box of the face's points"),
    Column("box_right", float, "px", "box of the face's points"),
    Column("box_bottom", float, "px", "box of the face's points"),
    Column("yaw", float, "degrees", "of the head; above 0: nose to the picture's right"),
    Column("pitch", float, "degrees", "of the head; above 0: nose up"),
    Column("roll", float, "degrees", "of the head; above 0: clockwise as seen"),
    Column("eye_opening", float, "", "gap between the lids over the width of the eye, mean of both"),
    Column("missing", int, "frames", "known to be lost just before this one"),
    Column("duplicate", int, "0, 1", "1: the same picture as the frame before"),
    Column("flags", str, "", "what may have disturbed this frame, joined by ;"),
)


def event_columns(aus: Sequence[str]) -> tuple[Column, ...]:
    """Columns for a model with the units `aus`, e.g. ("AU01", "AU12")."""
    return (*EVENT_COLUMNS, *(Column(f"{au}_p", float, "0..1", f"probability of {au}") for au in aus))


def names(columns: Sequence[Column]) -> list[str]:
    """What stands in the header."""
    return [column.name for column in columns]


def described(columns: Sequence[Column]) -> dict[str, dict[str, str]]:
    """Unit and meaning of each, for JSON."""
    return {column.name: {"unit": column.unit, "meaning": column.meaning} for column in columns}
