"""The folder of a run: what was asked, with what, how it went, and what came out.

    RUN/config.json        every setting; `microau-train RUN/config.json` makes the same run again
    RUN/versions.json      of the packages, the machine, the prepared data
    RUN/folds.json         who is trained on and who judges, by fold
    RUN/folds/<fold>/      choice.json, notes.json, curve.csv, predictions.csv; in training also its state
    RUN/curves.csv         loss of every epoch of every fold
    RUN/predictions.csv    every test sample of every fold: `microau-evaluate predictions` reads it
    RUN/epochs.safetensors where `select.oracle` asks: what every epoch says of the test samples
    RUN/report.txt         what that command prints

A fold is done when its predictions are there; they appear in one step.
"""

from __future__ import annotations

import csv
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ...engine.errors import MicroauError

CONFIG, PREDICTIONS, CURVES = "config.json", "predictions.csv", "curves.csv"
PACKAGES = ("microau", "torch", "open_clip_torch", "numpy", "scikit-learn", "opencv-python", "safetensors")


def open_run(folder: Path, config: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Make the folder, or go on in it. MicroauError where it holds a run with other settings."""
    path = folder / CONFIG
    if path.exists():
        there = json.loads(path.read_text(encoding="utf-8"))
        if there != config:
            raise MicroauError(f"{folder}: a run with other settings ({_first_gap(there, config)}) is here")
        return
    if folder.exists() and any(folder.iterdir()):
        raise MicroauError(f"{folder}: is there, not empty and no run; give a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "versions.json", versions() | dict(about))
    write_json(path, config)  # last: with it the folder is a run


def versions() -> dict[str, Any]:
    """Packages and machine."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    return {"python": platform.python_version(), "packages": found, "machine": machine}


def write_json(path: Path, record: object) -> None:
    """Replace a file in one step."""
    write_text(path, json.dumps(record, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_curves(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A table of losses; a term that a row lacks stays empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows(rows)
    partial.replace(path)


def read_curves(path: Path) -> list[dict[str, str]]:
    """The rows of such a table; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _first_gap(there: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    for group, table in asked.items():
        for name, value in table.items():
            old = there.get(group, {}).get(name)
            if old != value:
                return f"{group}.{name} is {old!r} there and {value!r} now"
    return "other names"
