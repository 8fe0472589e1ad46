"""How good a compact model is on samples it was not trained on, and the calibration that follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..engine.flow_image import image_of
from . import metrics
from .calibration import Calibration, expected_calibration_error, fit_unit, sigmoid
from .emotion import prototypes
from .fit import Recipe, label
from .flow_samples import FlowSamples
from .model import EmotionByText, MicroAuClip

Array = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What a model said of S samples, and the truth beside it."""

    logits: Array
    """(S, N) log-odds, not calibrated."""
    side_logits: Array
    """(S, N, 2) left, right."""
    emotion: Array
    """(S, R)"""
    labels: Labels
    """(S, N) 1 moving, 0 still, -1 in between."""
    side_labels: Labels
    """(S, N, 2)"""
    still: NDArray[np.bool_]
    """(S,) nothing at all moves."""


def ask(model: MicroAuClip, samples: FlowSamples, recipe: Recipe, batch: int = 64) -> Said:
    """The model's answers to the samples as they are."""
    model.eval()
    emotion = _emotion(model)
    positions = list(model.layout.landmarks)
    parts: list[tuple[Array, Array, Array]] = []
    for start in range(0, len(samples), batch):
        rows = slice(start, start + batch)
        images = [image_of(flow.astype(np.float32), samples.spec) for flow in samples.flow[rows]]
        with torch.no_grad():
            said = model(
                torch.from_numpy(np.stack(images)), torch.from_numpy(samples.points[rows][:, positions])
            )
            odds = said.logits[..., 1] - said.logits[..., 0]
            parts.append((odds.numpy(), said.side_logits.numpy(), emotion(said.features).numpy()))
    labels, known, sides, side_known = label(samples.amplitude, model.layout.sided, recipe)
    logits, side_logits, similar = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Said(
        logits,
        side_logits,
        similar,
        labels=np.where(known, labels, -1),
        side_labels=np.where(side_known, sides.astype(np.int64), -1),
        still=samples.amplitude.max(axis=(1, 2)) <= recipe.still,
    )


def calibrate(said: Said, sided: NDArray[np.bool_]) -> Calibration:
    """Temperatures and thresholds of every unit and its sides, on the validation persons."""
    whole = [_fit(said.logits[:, n], said.labels[:, n], said.still) for n in range(len(sided))]
    sides = [
        _fit(said.side_logits[:, n].ravel(), said.side_labels[:, n].ravel(), np.repeat(said.still, 2))
        if sided[n]
        else whole[n]
        for n in range(len(sided))
    ]
    return Calibration(
        temperature=tuple(t for t, _ in whole),
        threshold=tuple(p for _, p in whole),
        side_temperature=tuple(t for t, _ in sides),
        side_threshold=tuple(p for _, p in sides),
    )


def report(said: Said, calibration: Calibration, aus: tuple[int, ...]) -> dict[str, object]:
    """Figures of one set: per unit and their means, sides, still pairs, calibration."""
    probability = sigmoid(said.logits / np.array(calibration.temperature))
    decided = probability >= np.array(calibration.threshold)
    f1 = metrics.presence_f1(said.labels, decided)
    area = metrics.auc(said.labels, said.logits)
    known = said.labels >= 0
    return {
        "samples": len(said.labels),
        "f1": dict(zip(map(str, aus), np.round(f1, 3).tolist(), strict=True)),
        "auc": dict(zip(map(str, aus), np.round(area, 4).tolist(), strict=True)),
        "mean_f1": round(metrics.mean(f1), 4),
        "mean_auc": round(metrics.mean(area), 4),
        "mean_f1_paper_units": round(metrics.mean(f1[np.isin(aus, PAPER_AUS)]), 4),
        "side_accuracy": round(side_accuracy(said, calibration), 4),
        "still_pairs_with_a_unit": round(float(decided[said.still].any(axis=1).mean()), 4)
        if said.still.any()
        else None,
        "calibration_error": round(expected_calibration_error(probability[known], said.labels[known]), 4),
    }


PAPER_AUS = (1, 2, 4, 7, 12, 14, 15, 17)
"""The eight units of the paper on CASME II."""


def side_accuracy(said: Said, calibration: Calibration) -> float:
    """Of the one-sided units that are decided present: how often the side is right."""
    probability = sigmoid(said.logits / np.array(calibration.temperature))
    sides = sigmoid(said.side_logits / np.array(calibration.side_temperature)[:, None])
    one_sided = (np.sort(said.side_labels, axis=2) == (0, 1)).all(axis=2)
    asked = one_sided & (probability >= np.array(calibration.threshold))
    called = sides >= np.array(calibration.side_threshold)[:, None]
    right = (called == (said.side_labels == 1)).all(axis=2)[asked]
    return float(right.mean()) if right.size else float("nan")


def _fit(logits: Array, labels: Labels, still: NDArray[np.bool_]) -> tuple[float, float]:
    known = labels >= 0
    return fit_unit(logits[known].astype(np.float64), labels[known], still[known])


def _emotion(model: MicroAuClip) -> EmotionByText:
    with torch.no_grad():
        return EmotionByText(model.layout.aus, model.text_features(), prototypes(model.layout.aus))
