"""What a model said of every sample, kept as a table, so that any figure can be computed again.

`predictions.csv`, one row per sample, all folds together:

    dataset, subject, sample, fold,
    AU01_true, AU01_p, AU01, ...     1 present, 0 absent, empty not coded; probability; decision
    emotion_true, emotion            class names; empty where there is none

Decisions are stored, not remade: they come from thresholds chosen inside the training fold.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import MicroauError

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]

IDENTITY = ("dataset", "subject", "sample", "fold")


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """S samples, N units."""

    dataset: tuple[str, ...]
    subject: tuple[str, ...]
    sample: tuple[str, ...]
    fold: tuple[str, ...]
    """(S,) each; the fold in which the sample was test data, by any name."""
    units: tuple[int, ...]
    """(N,) FACS numbers."""
    labels: Labels
    """(S, N) 1 present, 0 absent, -1 not coded."""
    probability: Scores
    """(S, N) 0..1."""
    decided: Labels
    """(S, N) 1 or 0."""
    emotion_true: tuple[str, ...]
    emotion: tuple[str, ...]
    """(S,) class names, '' where none."""

    def __post_init__(self) -> None:
        shape = (len(self.sample), len(self.units))
        for name in ("labels", "probability", "decided"):
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} is {getattr(self, name).shape}, where {shape} is needed")
        for name in (*IDENTITY, "emotion_true", "emotion"):
            if len(getattr(self, name)) != shape[0]:
                raise ValueError(f"{name} has {len(getattr(self, name))} entries for {shape[0]} samples")

    @property
    def people(self) -> tuple[str, ...]:
        """(S,) data set and subject: whom the bootstrap draws."""
        return tuple(f"{d}/{s}" for d, s in zip(self.dataset, self.subject, strict=True))


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write the table; a number is written so that it is read back exactly."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([*IDENTITY, *_columns(predictions.units), "emotion_true", "emotion"])
        for k in range(len(predictions.sample)):
            identity = [getattr(predictions, name)[k] for name in IDENTITY]
            cells = zip(
                predictions.labels[k], predictions.probability[k], predictions.decided[k], strict=True
            )
            units = [cell for label, p, yes in cells for cell in (_label(label), repr(float(p)), int(yes))]
            table.writerow([*identity, *units, predictions.emotion_true[k], predictions.emotion[k]])


def _columns(units: Iterable[int]) -> list[str]:
    return [name for n in units for name in (f"AU{n:02d}_true", f"AU{n:02d}_p", f"AU{n:02d}")]


def _label(label: int) -> str:
    return "" if label < 0 else str(int(label))


def read_predictions(path: Path) -> Predictions:
    """Read the table. MicroauError where the file is not there or is not one."""
    if not path.is_file():
        raise MicroauError(f"{path}: no such file of predictions")
    with path.open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        rows, columns = list(table), list(table.fieldnames or [])
    missing = [name for name in IDENTITY if name not in columns]
    if missing or not rows:
        why = f"no column {missing[0]}" if missing else "no row"
        raise MicroauError(f"{path}: {why}; a table of predictions is needed, as training writes it")
    units = [int(name[2:-2]) for name in columns if name.startswith("AU") and name.endswith("_p")]
    try:
        return _table(rows, units)
    except (KeyError, ValueError) as error:
        raise MicroauError(f"{path}: no table of predictions: {error!r}") from None


def _table(rows: Sequence[Mapping[str, str]], units: Sequence[int]) -> Predictions:
    def column(name: str) -> tuple[str, ...]:
        return tuple(row[name] for row in rows)

    def cells(ending: str, empty: str) -> list[list[float]]:
        return [[float(row[f"AU{n:02d}{ending}"] or empty) for n in units] for row in rows]

    shape = (len(rows), len(units))
    return Predictions(
        column("dataset"),
        column("subject"),
        column("sample"),
        column("fold"),
        tuple(units),
        labels=np.array(cells("_true", "-1"), np.int64).reshape(shape),
        probability=np.array(cells("_p", "nan"), np.float64).reshape(shape),
        decided=np.array(cells("", "0"), np.int64).reshape(shape),
        emotion_true=tuple(row.get("emotion_true", "") for row in rows),
        emotion=tuple(row.get("emotion", "") for row in rows),
    )
