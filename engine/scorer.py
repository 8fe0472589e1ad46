"""Gradient-boosted trees that say how sure a candidate movement is, from its named features.

in    features by name, as `stream/features.py` measures them
out   probability 0..1 that a coder would mark a micro-expression there

The file is JSON: names, the trees, how they were made. It is read with NumPy alone;
`training/spot_scorer.py` writes it. A tree asks for each feature only on which side of a number it lies, so
that an odd recording cannot drive the score beyond what was learned.
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

FORMAT = 2
DEFAULT = Path(__file__).parent / "assets" / "spotter.json"
"""The scorer that microau ships; docs/spotting.md says what it was made from and what it reaches."""


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """Trained trees, all of the same depth D: questions lie level by level, 2**D - 1 to a tree."""

    names: tuple[str, ...]
    """Features, as the trees number them."""
    feature: NDArray[np.intp]
    """(T, 2**D - 1) number of the feature that is asked for."""
    threshold: Floats
    """(T, 2**D - 1) what is above goes right; infinity where a tree asks nothing more."""
    leaf: Floats
    """(T, 2**D) log odds that each tree adds."""
    bias: float
    """Log odds before any tree."""
    about: Mapping[str, Any]
    """How it was made: data, splits, figures."""

    def __call__(self, features: Mapping[str, float]) -> float:
        """Probability, 0..1. Raises KeyError where a feature is missing: a fault of the program."""
        return float(self.probabilities(np.array([[features[name] for name in self.names]]))[0])

    def probabilities(self, rows: Floats) -> Floats:
        """(N, F) features -> (N,)."""
        tree, row = np.arange(len(self.leaf)), np.arange(len(rows))[:, None]
        node = np.zeros((len(rows), len(tree)), np.intp)
        questions = self.threshold.shape[1]
        while node.size and node[0, 0] < questions:  # all trees are equally deep
            right = rows[row, self.feature[tree, node]] > self.threshold[tree, node]
            node = 2 * node + 1 + right
        logit = self.bias + self.leaf[tree, node - questions].sum(axis=1)
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -40, 40))), np.float64)

    def to_json(self) -> str:
        """The file's text; numbers to five digits, a tree's rows each on one line."""
        head = {"format": FORMAT, "about": dict(self.about), "names": list(self.names), "bias": self.bias}
        trees = [
            {"feature": f.tolist(), "threshold": _rounded(t), "leaf": _rounded(v)}
            for f, t, v in zip(self.feature, self.threshold, self.leaf, strict=True)
        ]
        rows = ",\n".join(json.dumps(tree) for tree in trees)
        return f'{json.dumps(head, indent=1)[:-2]},\n "trees": [\n{rows}\n]\n}}\n'


def unexplained(features: Mapping[str, float]) -> float:
    """Share, 0..1, of a candidate that no blink explains.

    Trees know what is usual in training. That a blink is none of what is sought needs no training, and
    holds for blinks that look like no trained one.
    """
    return 1 - features["blink"]


def read_scorer(text: str, name: str) -> Scorer:
    """A scorer from its file's text. Raises MicroauError where it is none."""
    try:
        record = json.loads(text)
        if record["format"] != FORMAT:
            raise MicroauError(
                f"{name}: scorer format {record['format']}, {FORMAT} is read here; train it again"
            )
        return _scorer(record)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise MicroauError(
            f"{name}: is no scorer ({error!r}); make one with python -m microau.training.spot_scorer"
        ) from None


def _scorer(record: Mapping[str, Any]) -> Scorer:
    trees = record["trees"]
    feature = np.array([tree["feature"] for tree in trees])
    threshold = np.array([[np.inf if t is None else t for t in tree["threshold"]] for tree in trees], float)
    leaf = np.array([tree["leaf"] for tree in trees], float)
    count, questions = feature.shape
    names = tuple(record["names"])
    whole = not questions & (questions + 1)  # 2**D - 1
    if not whole or threshold.shape != feature.shape or leaf.shape != (count, questions + 1):
        raise ValueError("trees that are not whole")
    bias = float(record["bias"])
    if feature.dtype.kind != "i" or not (np.isfinite(leaf).all() and np.isfinite(bias)):
        raise ValueError("numbers that are none")
    if np.isnan(threshold).any():
        raise ValueError("a question without an answer")
    if feature.min() < 0 or feature.max() >= len(names):
        raise ValueError("a tree asks for a feature that has no name")
    return Scorer(names, feature.astype(np.intp), threshold, leaf, bias, record["about"])


@lru_cache(maxsize=4)
def load_scorer(path: Path) -> Scorer:
    """The scorer of a file; read once. Raises MicroauError where it is missing or none."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MicroauError(f"{path}: {error.strerror}. Give a scorer's .json file") from None
    except UnicodeDecodeError:
        raise MicroauError(f"{path}: is no text. Give a scorer's .json file") from None
    return read_scorer(text, str(path))


def _rounded(values: Floats) -> list[float | None]:
    """Five digits; JSON has no infinity: null."""
    return [float(f"{x:.5g}") if np.isfinite(x) else None for x in values.tolist()]
