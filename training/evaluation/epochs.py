"""What every epoch said of the test samples: for `--as-published` alone, nothing is chosen by it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from ...engine.errors import MicroauError
from .predictions import Predictions, Scores

EPOCHS = "epochs.safetensors"


def write_epochs(path: Path, probability: Sequence[Scores] | Scores) -> None:
    """Write (E, S, N) in one step."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    save_file({"probability": np.ascontiguousarray(np.stack(list(probability)))}, partial)
    partial.replace(path)


def read_epochs(path: Path, predictions: Predictions) -> Scores:
    """Read (E, S, N). MicroauError where it does not belong to these predictions."""
    probability: Scores = load_file(path)["probability"]
    if probability.shape[1:] != predictions.probability.shape:
        raise MicroauError(f"{path}: made by another run than the predictions beside it; remove it")
    return probability


def join_epochs(paths: Sequence[Path]) -> Scores | None:
    """The folds' tables as one; None where they have different numbers of epochs."""
    parts = [load_file(path)["probability"] for path in paths]
    if len({len(part) for part in parts}) != 1:
        return None
    return np.concatenate(parts, axis=1)
