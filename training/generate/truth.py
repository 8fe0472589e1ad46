"""Write down what happened in a generated clip: `truth.json` for evaluation, `labels.csv` for loaders.

`truth.json` is what `training.evaluation.files` reads. `labels.csv` has the columns of CASME II's
label file, so that everything made for that set reads generated clips too.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..emotion import CONTEMPT, OBJECTIVE, THREE
from .anatomy import split
from .camera import Camera, Shot, nearest
from .scenario import Movement, Scenario

LABEL_COLUMNS = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units",
                 "Estimated Emotion")  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class ClipTruth:
    """Everything about one clip."""

    video: str
    """File name."""
    subject: str
    person: str
    geometry: str
    scenario: Scenario
    camera: Camera
    shots: Sequence[Shot]
    seed: int

    def record(self) -> dict[str, Any]:
        """As `truth.json`."""
        fixed = not (self.camera.dropped or self.camera.duplicated or self.camera.jitter)
        return {
            "video": self.video,
            "subject": self.subject,
            "person": self.person,
            "geometry": self.geometry,
            "fps": self.camera.fps,
            "frames": len(self.shots),
            "duration_s": round(self.shots[-1].time + 1 / self.camera.fps, 6),
            "events": [self._event(m) for m in self.scenario.movements],
            "confounds": self._confounds(),
            "camera": asdict(self.camera),
            "frame_times_s": None if fixed else [round(s.time, 6) for s in self.shots],
            "repeated_frames": [k for k, s in enumerate(self.shots) if s.content != s.time],
            "seed": self.seed,
        }

    def _event(self, movement: Movement) -> dict[str, Any]:
        curve = movement.curve
        moments = {"onset": curve.onset, "apex": curve.apex, "offset": curve.offset}
        frames = {f"{name}_frame": nearest(self.shots, time) for name, time in moments.items()}
        return {
            "kind": movement.kind,
            **frames,
            **{f"{name}_s": round(time, 6) for name, time in moments.items()},
            "aus": list(movement.units),
            "amplitude": round(movement.amplitude, 4),
            "peaks": {name: round(peak, 4) for name, peak in movement.peaks.items()},
            "emotion": emotion_class(movement),
        }

    def _confounds(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [
            {"kind": kind, "onset_s": round(start, 6), "offset_s": round(end, 6)}
            for kind, start, end in self.scenario.spans()
            if kind != "macro"  # an event of its own kind
        ]
        return rows + [{"kind": name} for name in self.camera.defects()]

    def labels(self, first: int = 0) -> list[dict[str, str | int]]:
        """Rows of `labels.csv`, micro-expressions alone; `first` is the number of the first frame."""
        return [
            {
                "Subject": self.subject,
                "Filename": Path(self.video).stem,
                "OnsetFrame": nearest(self.shots, m.curve.onset) + first,
                "ApexFrame": nearest(self.shots, m.curve.apex) + first,
                "OffsetFrame": nearest(self.shots, m.curve.offset) + first,
                "Action Units": "+".join(m.units),
                "Estimated Emotion": estimated_emotion(m),
            }
            for m in self.scenario.micros
        ]


def _units(movement: Movement) -> frozenset[int]:
    return frozenset(split(name)[0] for name in movement.peaks)


CRITERIA: tuple[tuple[str, tuple[frozenset[int], ...]], ...] = (
    ("happiness", (frozenset({12}), frozenset({6}))),
    ("disgust", (frozenset({9}), frozenset({10}), frozenset({4, 7}))),
    ("fear", (frozenset({1, 2, 4}), frozenset({20}))),
    ("surprise", (frozenset({1, 2}), frozenset({2}), frozenset({25}), frozenset({5}))),
    ("sadness", (frozenset({1}), frozenset({1, 4}))),
    ("repression", (frozenset({15}), frozenset({17}), frozenset({24}))),
)
"""Which units stand for which label of CASME II (Yan et al. 2014), the first that fits; else 'others'."""


def estimated_emotion(movement: Movement) -> str:
    """The label that CASME II's criteria give; 'others' where units of opposite meaning meet."""
    units = _units(movement)
    if 12 in units and units & {4, 9, 10, 15}:
        return "others"
    fitting = (name for name, sets in CRITERIA if any(wanted <= units for wanted in sets))
    return next(fitting, "others")


def emotion_class(movement: Movement) -> str:
    """'positive', 'negative', 'surprise' or 'other', by objective class, else by the estimated emotion."""
    units = _units(movement)
    for name, objectives in THREE.items():
        if any(units == set(combination) for o in objectives for combination in OBJECTIVE[o]):
            return name
    if units == set(CONTEMPT):
        return "negative"
    by_emotion = {"happiness": "positive", "surprise": "surprise", "others": "other"}
    return by_emotion.get(estimated_emotion(movement), "negative")


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """One record, readable by eye and by program."""
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def write_labels(path: Path, rows: Sequence[Mapping[str, str | int]]) -> None:
    """A table in the layout of CASME II's label file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, LABEL_COLUMNS)
        table.writeheader()
        table.writerows(rows)
