"""A small network that says how sure a candidate movement is, from its named features.

in    features by name, as `stream/candidate.py` measures them
out   probability 0..1 that a coder would mark a micro-expression there

The file is JSON: names, mean and scale of each feature, the layers' weights, how it was made. It is read
without torch; `training/spot_scorer.py` writes it. Features are held within what training saw, so that
an odd recording cannot drive the score beyond what was learned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import MicroauError

Floats = NDArray[np.float64]

FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """A trained scorer."""

    names: tuple[str, ...]
    """(F,) features, in the order of the arrays."""
    centre: Floats
    """(F,) taken off each feature ..."""
    scale: Floats
    """(F,) ... which is then divided by this."""
    low: Floats
    high: Floats
    """(F,) least and greatest value of each feature in training."""
    layers: tuple[tuple[Floats, Floats], ...]
    """Weights (out, in) and biases (out,); hyperbolic tangents between, a logistic function at the end."""
    about: Mapping[str, Any]
    """How it was made: data, splits, figures."""

    def __call__(self, features: Mapping[str, float]) -> float:
        """Probability, 0..1. Raises KeyError where a feature is missing: a fault of the program."""
        return float(self.probabilities(np.array([[features[name] for name in self.names]]))[0])

    def probabilities(self, rows: Floats) -> Floats:
        """(N, F) features -> (N,)."""
        x = (np.clip(rows, self.low, self.high) - self.centre) / self.scale
        for weights, bias in self.layers[:-1]:
            x = np.tanh(x @ weights.T + bias)
        weights, bias = self.layers[-1]
        return np.asarray(1 / (1 + np.exp(-np.clip(x @ weights.T + bias, -40, 40)[:, 0])), np.float64)

    def to_json(self) -> str:
        """The file's text; numbers to five digits."""
        arrays = {name: _rounded(getattr(self, name)) for name in ("centre", "scale", "low", "high")}
        layers = [{"weights": _rounded(w), "bias": _rounded(b)} for w, b in self.layers]
        record = {"format": FORMAT, "about": dict(self.about), "names": list(self.names)}
        return json.dumps(record | arrays | {"layers": layers}, indent=1) + "\n"


def read_scorer(text: str, name: str) -> Scorer:
    """A scorer from its file's text. Raises MicroauError where it is none."""
    try:
        record = json.loads(text)
        if record["format"] != FORMAT:
            raise MicroauError(f"{name}: scorer format {record['format']}, {FORMAT} is read here")
        arrays = {key: np.array(record[key], float) for key in ("centre", "scale", "low", "high")}
        layers = tuple(
            (np.array(layer["weights"], float), np.array(layer["bias"], float))
            for layer in record["layers"]
        )
        return Scorer(tuple(record["names"]), **arrays, layers=layers, about=record["about"])
    except (KeyError, TypeError, ValueError) as error:
        raise MicroauError(
            f"{name}: is no scorer ({error!r}); make one with the command in its docs"
        ) from None


@lru_cache(maxsize=4)
def load_scorer(path: Path) -> Scorer:
    """The scorer of a file; read once. Raises MicroauError where it is missing or none."""
    try:
        return read_scorer(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise MicroauError(f"{path}: {error.strerror}. Give a scorer's .json file") from None


def _rounded(values: Floats) -> Any:
    return np.vectorize(lambda x: float(f"{x:.5g}"))(values).tolist()
