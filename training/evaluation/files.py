"""Truth and found movements from their files: `truth.json` of a clip, `events.csv` of a run.

One truth file per video, named `truth.json` beside it or `<video>.truth.json`:

    {"video": "clip.mp4", "subject": "s03", "fps": 200, "duration_s": 4.0,
     "events": [{"kind": "micro", "onset_frame": 101, "apex_frame": 120, "offset_frame": 149,
                 "onset_s": 0.505, "apex_s": 0.6, "offset_s": 0.745,
                 "aus": ["1", "L12"], "amplitude": 1.8, "emotion": "positive"}],
     "confounds": [{"kind": "blink", "onset_s": 2.1, "offset_s": 2.35}, {"kind": "noise"}]}

Events of another kind than "micro" are confounds. A confound without times lasts the whole clip.
Results stand in another folder under the same names: `<results>/<clip>/events.csv`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...engine.errors import MicroauError
from .spotting import Clip, Confound, Movement


@dataclass(frozen=True, slots=True)
class TrueClip:
    """A video and its truth; what was found in it comes later."""

    video: Path
    clip: Clip


def read_truths(folder: Path) -> list[TrueClip]:
    """Every clip below a folder, in order of path; its name is the video's path without ending."""
    if not folder.is_dir():
        raise MicroauError(f"{folder}: no such folder; give one that `microau-generate` wrote")
    paths = sorted({*folder.rglob("truth.json"), *folder.rglob("*.truth.json")})
    if not paths:
        raise MicroauError(f"{folder}: no truth.json in it; give a folder that `microau-generate` wrote")
    return [read_truth(path, folder) for path in paths]


def read_truth(path: Path, folder: Path) -> TrueClip:
    """One truth file; paths in it are relative to it and must stay inside `folder`."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        video = (path.parent / record["video"]).resolve()
        clip = _clip(record, _name(video, folder.resolve()))
    except (KeyError, ValueError, TypeError) as error:
        raise MicroauError(f"{path}: no truth as documented: {error!r}") from None
    if not video.exists():
        raise MicroauError(f"{path}: its video {video.name} is not there")
    return TrueClip(video, clip)


def _name(video: Path, folder: Path) -> str:
    return video.relative_to(folder).with_suffix("").as_posix()  # ValueError: outside the folder


def _clip(record: Mapping[str, Any], name: str) -> Clip:
    micro = [event for event in record["events"] if event["kind"] == "micro"]
    others = [event for event in record["events"] if event["kind"] != "micro"]
    return Clip(
        name,
        str(record["subject"]),
        float(record["fps"]),
        float(record["duration_s"]),
        truth=tuple(_true_movement(event) for event in micro),
        confounds=tuple(_confound(item) for item in [*others, *record.get("confounds", ())]),
    )


def _true_movement(event: Mapping[str, Any]) -> Movement:
    return Movement(
        *_moments(event),
        units=tuple(event["aus"]),
        emotion=str(event.get("emotion", "")),
        amplitude=float(event["amplitude"]),
    )


def _moments(row: Mapping[str, Any]) -> tuple[int, int, int, float, float, float]:
    frames = [int(row[f"{moment}_frame"]) for moment in ("onset", "apex", "offset")]
    times = [float(row[f"{moment}_s"]) for moment in ("onset", "apex", "offset")]
    return (frames[0], frames[1], frames[2], times[0], times[1], times[2])


def _confound(item: Mapping[str, Any]) -> Confound:
    onset, offset = item.get("onset_s", float("-inf")), item.get("offset_s", float("inf"))
    return Confound(str(item["kind"]), float(onset), float(offset))


def read_events(path: Path) -> tuple[Movement, ...]:
    """The rows of an `events.csv`, all faces together."""
    if not path.is_file():
        raise MicroauError(f"{path}: no such file; run `microau-stream` on the clip first")
    with path.open(newline="", encoding="utf-8") as lines:
        rows = csv.DictReader(lines)
        try:
            return tuple(_event(row) for row in rows)
        except (KeyError, ValueError, TypeError) as error:
            raise MicroauError(f"{path}: line {rows.line_num} is no event: {error!r}") from None


def _event(row: Mapping[str, str]) -> Movement:
    return Movement(
        *_moments(row),
        units=tuple(filter(None, row["aus"].split("+"))),
        emotion=row["emotion"],
        score=float(row["score"]),
        flags=tuple(filter(None, row["flags"].split(";"))),
        probabilities={key[:-2]: float(p) for key, p in row.items() if _is_unit(key) and p},
    )


def _is_unit(column: str) -> bool:
    return column.startswith("AU") and column.endswith("_p")
