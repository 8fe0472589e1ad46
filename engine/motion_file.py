"""Motion records of one face in a file, to spot in them again and again without the video.

All but the crop and the landmarks (of which only the eye distance is kept): one `.npz` of plain arrays.
Nothing in it shows the face.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import MicroauError
from .motion import Motion
from .records import Face
from .registration import LEFT_EYE

FIELDS = (
    "index", "time", "shift", "rest", "head", "eyes", "mouth", "gaze", "light",
    "missing", "duplicate", "cut",
)  # fmt: skip
"""Of Motion, as they stand in the file."""


def save_motions(path: Path, motions: Sequence[Motion], truth: dict[str, Any]) -> None:
    """Write the records of one face, with what is known to have happened; a file is whole or not there."""
    arrays = {name: np.array([getattr(m, name) for m in motions]) for name in FIELDS}
    oed = np.array([m.face.oed for m in motions], np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays |= {"oed": oed, "truth": np.array(json.dumps(truth))}
    partial = path.with_name(f"{path.stem}.partial.npz")
    np.savez_compressed(partial, allow_pickle=False, **arrays)
    partial.replace(path)


def load_motions(path: Path) -> tuple[list[Motion], dict[str, Any]]:
    """Records and truth. Raises MicroauError where the file is not one that `save_motions` wrote."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            columns = {name: file[name] for name in (*FIELDS, "oed")}
            truth = json.loads(str(file["truth"]))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise MicroauError(f"{path}: holds no motion records ({error})") from None
    return [_record(columns, i) for i in range(len(columns["time"]))], truth


def _record(columns: dict[str, Any], i: int) -> Motion:
    points = np.zeros((478, 3), np.float32)
    points[LEFT_EYE, 0] = columns["oed"][i]
    row = {name: columns[name][i] for name in FIELDS}
    plain = {
        name: row[name].item()
        for name in ("index", "time", "mouth", "light", "missing", "duplicate", "cut")
    }
    pairs = {name: (float(row[name][0]), float(row[name][1])) for name in ("eyes", "gaze")}
    return Motion(
        **(row | plain | pairs),
        face=Face(0, points, 1.0),
        crop=np.zeros((0, 0), np.uint8),
        matrix=np.eye(2, 3),
    )
