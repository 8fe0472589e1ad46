"""Logistic regression on the mean motion of face regions: what a linear look at the flow gives away."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression

from ....engine.regions import centres
from ....engine.registration import CROP, CROP_OED
from ...prepare.pair import Prepared
from ..learner import Answer, Fitted, Job, Learner
from ..samples import Samples

Array = NDArray[np.float64]

SIDE = 15
"""Pixels of the crop over which motion is averaged, 14 % of the eye distance."""


@dataclass(frozen=True, slots=True)
class LogisticSettings:
    """Of every unit's regression."""

    c: float = 0.1
    """Inverse strength of the L2 penalty."""
    balanced: bool = True
    """Rare units weigh as much as their absence."""


def region_flow(prepared: Prepared) -> Array:
    """Motion of the K regions of `engine.regions`: right, down and length, percent of the eye distance.

    return  (3 K,)
    """
    flow = cv2.blur(prepared.flow.astype(np.float32), (SIDE, SIDE)) * (100 / CROP_OED)
    places = np.clip(np.rint(centres(prepared.onset_points)[:, :2]), 0, CROP - 1).astype(int)  # (K, 2)
    motion = flow[places[:, 1], places[:, 0]]  # (K, 2)
    return np.concatenate([motion.T.ravel(), np.hypot(*motion.T)]).astype(np.float64)


class Logistic(Fitted):
    """One weight vector per unit."""

    def __init__(self, centre: Array, spread: Array, weights: Array, bias: Array) -> None:
        self.centre, self.spread, self.weights, self.bias = centre, spread, weights, bias

    def answer(self, samples: Samples) -> Answer:
        x = (_features(samples) - self.centre) / self.spread  # (S, F)
        odds = x @ self.weights.T + self.bias  # (S, N)
        return Answer(0.5 * (1 + np.tanh(odds / 2)), ("",) * len(samples))

    def save(self, folder: Path) -> None:
        names = ("centre", "spread", "weights", "bias")
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in names}
        save_file(arrays, folder / "weights.safetensors")


class LogisticLearner(Learner):
    """A regression per unit on the coded samples."""

    name = "logistic"
    Settings = LogisticSettings

    def fit(self, job: Job) -> Fitted:
        x = _features(job.train)
        centre, spread = x.mean(axis=0), x.std(axis=0) + 1e-6
        rows = [self._unit((x - centre) / spread, labels) for labels in job.train.labels.T]
        fitted = Logistic(centre, spread, np.stack([w for w, _ in rows]), np.array([b for _, b in rows]))
        fitted.watched = (fitted.answer(job.watch),) if job.watch is not None else ()
        return fitted

    def _unit(self, x: Array, labels: NDArray[np.int64]) -> tuple[Array, float]:
        known = labels >= 0
        if len(np.unique(labels[known])) < 2:  # always or never there: say what was seen
            seen = float(labels[known].mean()) if known.any() else 0.0
            return np.zeros(x.shape[1]), 20.0 * (2 * seen - 1)
        weight = "balanced" if self.settings.balanced else None
        model = LogisticRegression(C=self.settings.c, class_weight=weight, max_iter=2000)
        model.fit(x[known], labels[known])
        return model.coef_[0], float(model.intercept_[0])


def _features(samples: Samples) -> Array:
    return np.stack([region_flow(samples.arrays(i)) for i in range(len(samples))])
