"""How good a compact model is on samples it was not trained on, and the calibration that follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..engine.flow_image import image_of
from . import metrics
from .calibration import (
    NEVER,
    Calibration,
    expected_calibration_error,
    fit_unit,
    hush,
    margin,
    reliability,
    sigmoid,
    temperature,
)
from .emotion import prototypes
from .fit import Recipe, label
from .flow_samples import FlowSamples
from .layout import Layout
from .model import EmotionByText, MicroAuClip
from .sources import geometry

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
    amplitude: Array
    """(S, N) percent OED, the larger side."""
    person: NDArray[np.int32]
    """(S,) who it is."""
    kind: NDArray[np.int32]
    """(S,) number of the way this person moves."""


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
        amplitude=samples.amplitude.max(axis=2),
        person=samples.person,
        kind=kinds_of(samples),
    )


def kinds_of(samples: FlowSamples) -> NDArray[np.int32]:
    """(S,) the same number for samples of the same geometry."""
    ways = [geometry(name) for name in samples.persons]
    number = {way: k for k, way in enumerate(sorted(set(ways)))}
    return np.array([number[way] for way in ways], np.int32)[samples.person]


def calibrate(said: Said, layout: Layout) -> Calibration:
    """Temperatures and thresholds of every unit and its sides, on the validation persons."""
    sided = layout.sided
    whole = [_fit(said.logits[:, n], said.labels[:, n], said.still) for n in range(len(sided))]
    sides = [
        _fit_sides(said.side_logits[:, n], said.side_labels[:, n]) if sided[n] else (1.0, NEVER)
        for n in range(len(sided))
    ]
    warmth, first = (np.array(column) for column in zip(*whole, strict=True))
    threshold = hush(first, sigmoid(said.logits / warmth), said.still, said.kind)
    return Calibration(
        temperature=tuple(warmth.tolist()),
        threshold=tuple(np.round(threshold, 4).tolist()),
        side_temperature=tuple(t for t, _ in sides),
        side_margin=tuple(m for _, m in sides),
        emotion_margin=fit_emotion_margin(said, layout.aus),
    )


KEPT = 0.95
"""Share of the clear expressions whose emotion class must stand out far enough."""


def fit_emotion_margin(said: Said, aus: tuple[int, ...]) -> float:
    """The lead that all but a few clear expressions have, of those whose best class is right."""
    truth, scores = emotion_truth(said.labels, aus), _classes(said)
    right = scores.argmax(axis=1) == truth
    lead = np.diff(np.sort(scores, axis=1)[:, -2:], axis=1)[:, 0]
    return float(np.quantile(lead[right], 1 - KEPT)) if right.any() else 0.0


def emotion_truth(labels: Labels, aus: tuple[int, ...]) -> NDArray[np.intp]:
    """(S,) number of the class of which the moving units are a prototype; -1: of none, or not known."""
    table = prototypes(aus)
    classes = {frozenset(p): r for r, sets in enumerate(table.values()) for p in sets if p}
    sets = [frozenset(np.array(aus)[row == 1].tolist()) for row in labels]
    numbers = np.array([classes.get(moving, -1) for moving in sets], np.intp)
    return np.where((labels >= 0).all(axis=1), numbers, -1)


def emotion_accuracy(said: Said, calibration: Calibration, aus: tuple[int, ...]) -> float:
    """Share of the clear expressions whose class is named: the best one, far enough ahead."""
    truth, scores = emotion_truth(said.labels, aus), _classes(said)
    lead = np.diff(np.sort(scores, axis=1)[:, -2:], axis=1)[:, 0]
    named = np.where(lead >= calibration.emotion_margin, scores.argmax(axis=1), -1)
    return _share((named == truth)[truth >= 0])


def _classes(said: Said) -> Array:
    """(S, R) similarities without 'other', which comes last."""
    return said.emotion[:, :-1]


def report(said: Said, calibration: Calibration, aus: tuple[int, ...]) -> dict[str, Any]:
    """Figures of one set of persons, each mean with its 95 % interval over persons."""
    probability = sigmoid(said.logits / np.array(calibration.temperature))
    decided = probability >= np.array(calibration.threshold)
    papers = np.isin(aus, PAPER_AUS)
    f1, area = metrics.presence_f1(said.labels, decided), metrics.auc(said.labels, said.logits)
    known = said.labels >= 0
    return {
        "samples": len(said.labels),
        "persons": len(np.unique(said.person)),
        "f1": _by_unit(aus, f1),
        "auc": _by_unit(aus, area),
        "mean_f1": _interval(said, lambda rows: metrics.presence_f1(said.labels[rows], decided[rows])),
        "mean_f1_paper_units": _interval(
            said, lambda rows: metrics.presence_f1(said.labels[rows], decided[rows])[papers]
        ),
        "mean_auc": round(metrics.mean(area), 4),
        "recall_by_amplitude": recall_by_amplitude(said, decided),
        "side_accuracy": round(side_accuracy(said, calibration), 4),
        "both_sides_accuracy": round(side_accuracy(said, calibration, alone=False), 4),
        "still_pairs_with_a_unit": round(_share(np.any(decided[said.still], axis=1)), 4),
        "emotion_accuracy": round(emotion_accuracy(said, calibration, aus), 4),
        "reliability": reliability(probability[known], said.labels[known]),
        "calibration_error": round(expected_calibration_error(probability[known], said.labels[known]), 4),
    }


PAPER_AUS = (1, 2, 4, 7, 12, 14, 15, 17)
"""The eight units of the paper on CASME II."""
AMPLITUDES = (0.5, 0.8, 1.5, 4.0, 14.0)
"""Percent OED, edges of the bins in which recall is told."""


def recall_by_amplitude(said: Said, decided: NDArray[np.bool_]) -> dict[str, float]:
    """Share of the moving units that are decided, by how far the unit moved."""
    told = {}
    for low, high in pairwise(AMPLITUDES):
        asked = (said.labels == 1) & (said.amplitude >= low) & (said.amplitude < high)
        told[f"{low}-{high}"] = round(_share(decided[asked]), 3)
    return told


def side_accuracy(said: Said, calibration: Calibration, *, alone: bool = True) -> float:
    """Of the one-sided units that are decided present: how often the side is right.

    alone  False: of the two-sided ones, how often no side is named
    """
    probability = sigmoid(said.logits / np.array(calibration.temperature))
    odds = said.side_logits / np.array(calibration.side_temperature)[:, None]
    gap = odds[..., 0] - odds[..., 1]
    named = np.where(np.abs(gap) < np.array(calibration.side_margin), 0, np.sign(gap))  # 1 left, -1 right
    truth = said.side_labels[..., 0] - said.side_labels[..., 1]
    known = (said.side_labels >= 0).all(axis=2) & (said.side_labels.max(axis=2) == 1)
    asked = known & (probability >= np.array(calibration.threshold)) & ((truth != 0) == alone)
    return _share((named == truth)[asked])


def _share(hits: NDArray[np.bool_] | np.bool_) -> float:
    return float(hits.mean()) if hits.size else float("nan")


def _by_unit(aus: tuple[int, ...], values: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(map(str, aus), np.round(values, 4).tolist(), strict=True))


def _interval(said: Said, figure: Callable[[NDArray[np.intp]], NDArray[np.float64]]) -> list[float]:
    """Mean over the units: value, and its 95 % interval over persons."""
    estimate = metrics.bootstrap(lambda rows: metrics.mean(figure(rows)), said.person.tolist(), draws=200)
    return [round(number, 4) for number in estimate]


def _fit(logits: Array, labels: Labels, still: NDArray[np.bool_]) -> tuple[float, float]:
    known = labels >= 0
    return fit_unit(logits[known].astype(np.float64), labels[known], still[known])


def _fit_sides(logits: Array, labels: Labels) -> tuple[float, float]:
    """Temperature of both sides together, and the margin between them; (S, 2) each."""
    known = labels >= 0
    t = temperature(logits[known].astype(np.float64), labels[known])
    moves = known.all(axis=1) & (labels.max(axis=1) == 1)
    return t, margin(logits[moves].astype(np.float64) / t, labels[moves])


def _emotion(model: MicroAuClip) -> EmotionByText:
    with torch.no_grad():
        return EmotionByText(model.layout.aus, model.text_features(), prototypes(model.layout.aus))
