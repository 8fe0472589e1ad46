"""What a variant of a model costs and what it loses: against torch, the truth, and fp32's time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.bundle import Bundle
from ..engine.flow_image import image_of
from ..engine.inference import Engine, open_engine
from ..training import metrics
from ..training.fit import Recipe, label
from ..training.flow_samples import FlowSamples

Array = NDArray[np.float32]
RUNS = 50
"""Timed runs of each variant, one sample each, in turn so that a busy machine slows all alike."""
BATCH = 32


@dataclass(frozen=True, slots=True)
class Figures:
    """One variant."""

    variant: str
    file: str
    megabytes: float
    gap: Mapping[str, tuple[float, float]]
    """Output -> largest and mean absolute difference from torch in fp32."""
    mean_f1: float
    """Mean over units of the F1 of presence, on persons that the model was not trained on."""
    mean_auc: float
    cpu_ms: float
    """Median of one sample on one core; nan for variants that are made for GPUs."""


def inputs_of(samples: FlowSamples, bundle: Bundle) -> dict[str, Array]:
    """Model inputs of flow samples, by the code that the runtime uses."""
    images = [image_of(flow.astype(np.float32), samples.spec) for flow in samples.flow]
    return {"flow": np.stack(images), "landmarks": samples.points[:, bundle.positions()]}


def labels_of(samples: FlowSamples, bundle: Bundle) -> NDArray[np.int64]:
    """(S, N) 1 moving, 0 still, -1 in between, as in training; the bundle's units alone."""
    sided = np.array([unit.sided for unit in bundle.units])
    offered = [samples.aus.index(unit.au) for unit in bundle.units]
    labels, known, _, _ = label(samples.amplitude[:, offered], sided, Recipe())
    return np.where(known, labels, -1)


def answers(engine: Engine, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """All outputs of all samples, a batch at a time."""
    count = len(inputs["flow"])
    parts = [
        engine({name: array[i : i + BATCH] for name, array in inputs.items()})
        for i in range(0, count, BATCH)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def gaps(got: Mapping[str, Array], wanted: Mapping[str, Array]) -> dict[str, tuple[float, float]]:
    """Output -> largest and mean absolute difference."""
    differences = {name: np.abs(got[name] - wanted[name]) for name in wanted}
    return {name: (float(gap.max()), float(gap.mean())) for name, gap in differences.items()}


def quality(probability: Array, labels: NDArray[np.int64], bundle: Bundle) -> tuple[float, float]:
    """Mean F1 of presence at the bundle's thresholds, and mean area under the curve."""
    decided = probability >= np.array([unit.threshold for unit in bundle.units])
    f1 = metrics.presence_f1(labels, decided)
    return metrics.mean(f1), metrics.mean(metrics.auc(labels, probability))


def medians_ms(paths: Sequence[Path], sample: Mapping[str, Array]) -> list[float]:
    """Median milliseconds of one sample on one core, for each model, measured in turn."""
    engines = [open_engine(path) for path in paths]
    times: list[list[float]] = [[] for _ in paths]
    try:
        for _ in range(RUNS):
            for engine, own in zip(engines, times, strict=True):
                began = time.perf_counter()
                engine(sample)
                own.append(time.perf_counter() - began)
    finally:
        for engine in engines:
            engine.close()
    return [1e3 * float(np.median(own)) for own in times]


def table(figures: Sequence[Figures]) -> str:
    """One line per variant."""
    lines = [
        f"{'variant':<13}{'MB':>8}{'largest gap':>13}{'mean gap':>11}{'mean F1':>9}{'AUC':>8}{'ms':>8}"
    ]
    for one in figures:
        largest, mean = one.gap["probability"]
        speed = "-" if np.isnan(one.cpu_ms) else f"{one.cpu_ms:.2f}"
        lines.append(
            f"{one.variant:<13}{one.megabytes:>8.2f}{largest:>13.1e}{mean:>11.1e}"
            f"{one.mean_f1:>9.4f}{one.mean_auc:>8.4f}{speed:>8}"
        )
    return "\n".join(lines)


def gap_table(figures: Sequence[Figures]) -> str:
    """Largest and mean difference from torch in every output, one line per variant and output."""
    lines = [f"{'difference from torch':<24}{'output':<18}{'largest':>9}{'mean':>9}"]
    for one in figures:
        for output, (largest, mean) in one.gap.items():
            lines.append(f"{one.variant:<24}{output:<18}{largest:>9.1e}{mean:>9.1e}")
    return "\n".join(lines)


def as_json(figures: Sequence[Figures]) -> list[dict[str, Any]]:
    """For a report; a time that was not measured is null."""
    return [
        {name: getattr(one, name) for name in Figures.__slots__}
        | {"cpu_ms": None if np.isnan(one.cpu_ms) else one.cpu_ms}
        for one in figures
    ]
