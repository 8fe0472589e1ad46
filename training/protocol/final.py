"""After the folds: one model trained on everybody, with thresholds that nobody's own model chose.

Epochs are the median of what the folds chose, learner settings what most of them chose. Temperatures and
thresholds come from the pooled predictions of the folds: each sample was predicted by a model that had
never seen its person.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ..calibration import NEVER, Calibration, fit_unit
from ..evaluation.predictions import Predictions, read_predictions
from .learner import Fitted, Job, Say, make_learner
from .run import load_samples
from .run_folder import PREDICTIONS
from .settings import Settings

CERTAIN = 1e-6


def train_on_all(settings: Settings, run: Path, out: Path, say: Say) -> Fitted:
    """Train on every sample of a finished run, and write the checkpoint."""
    samples = load_samples(settings)
    choices = [json.loads(path.read_text()) for path in sorted(run.glob("folds/*/choice.json"))]
    epochs, values = (
        round(median(c["epochs"] for c in choices)),
        most_chosen([c["values"] for c in choices]),
    )
    out.mkdir(parents=True, exist_ok=True)
    learner = make_learner(settings.learner.name, {**settings.learner.settings, **values}, settings.recipe)
    state = out / "state.safetensors"
    fitted = learner.fit(Job(samples, epochs, state=state, say=say))
    pooled = read_predictions(run / PREDICTIONS)
    card = {
        "protocol": settings.record(),
        "epochs": epochs,
        "values": values,
        "data_sets": sorted({entry.dataset for entry in samples.entries}),
        "samples": len(samples),
    }
    fitted.write_checkpoint(out, calibrated(pooled), card)
    state.unlink(missing_ok=True)
    return fitted


def most_chosen(values: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The settings that most folds chose; of equals the first.

    >>> most_chosen([{"alpha": 0.2}, {"alpha": 0.6}, {"alpha": 0.6}])
    {'alpha': 0.6}
    """
    counts = Counter(json.dumps(value, sort_keys=True) for value in values)
    return dict(json.loads(counts.most_common(1)[0][0]))


def calibrated(pooled: Predictions) -> Calibration:
    """Temperature and threshold of each unit from predictions of people that the models had not seen.

    The paper's model decides no side: its margins are so large that none is ever named.
    """
    p = np.clip(pooled.probability, CERTAIN, 1 - CERTAIN)
    odds = np.log(p / (1 - p))  # (S, N)
    pairs = []
    for column, labels in zip(odds.T, pooled.labels.T, strict=True):
        known = labels >= 0
        nothing_moves = np.zeros(int(known.sum()), bool)  # labelled sets hold movements alone
        pairs.append(fit_unit(column[known], labels[known], nothing_moves))
    units = len(pairs)
    return Calibration(
        temperature=tuple(t for t, _ in pairs),
        threshold=tuple(t for _, t in pairs),
        side_temperature=(1.0,) * units,
        side_margin=(NEVER,) * units,
    )
