"""The default model, from photographs to a calibrated checkpoint, by one command.

    microau-train --recipe default --photos FOLDER --face3d FILE.npz --out runs/default

Needs: a folder of frontal photographs with a neutral face, one person each, and, where it is at hand,
the 3D face of ICT-FaceKit. Every number of the recipe is in the checkpoint; the same inputs, seed
and number of threads give the same weights.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .calibration import Calibration, sigmoid
from .checkpoint import Trained, save
from .fit import Recipe, fit
from .flow_samples import FlowSamples, read_shards
from .make_samples import Making, make_shards
from .model import MicroAuClip
from .quality import ask, calibrate, recall_by_amplitude, report
from .sources import SMILE, Source, geometry
from .splits import split

ATTRIBUTION = (
    "Photographs: DeBruine, L. & Jones, B. (2017), Face Research Lab London Set, figshare, CC BY 4.0. "
    "3D face: ICT-FaceKit, USC Institute for Creative Technologies, MIT."
)
"""Of the material that the shipped weights were trained on."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DefaultRecipe:
    """Settings of the whole chain."""

    making: Making = field(default_factory=Making)
    fit: Recipe = field(default_factory=Recipe)
    threads: int = 1


def default_samples(
    recipe: DefaultRecipe, sources: list[Source], cache: Path, say: Say, workers: int = 1
) -> FlowSamples:
    """Samples of everybody, made where they are not there yet."""
    return read_shards(make_shards(sources, recipe.making, cache, say, workers))


def train_default(
    recipe: DefaultRecipe, samples: FlowSamples, out: Path, say: Say, left_out: tuple[int, ...] = ()
) -> Trained:
    """Train, calibrate on validation persons, judge on test persons, save.

    left_out  units that the bundle shall not offer (`transfer.left_out`)
    """
    began = time.perf_counter()
    torch.set_num_threads(recipe.threads)
    out.mkdir(parents=True, exist_ok=True)
    people = split(samples.persons)
    say(f"{len(samples)} samples of {len(samples.persons)} persons, {len(people.train)} trained on")
    model = fit(samples.of(people.train), recipe.fit, say)
    trained = concluded(model, recipe, samples, time.perf_counter() - began, left_out)
    save(trained, out)
    return trained


def concluded(
    model: MicroAuClip,
    recipe: DefaultRecipe,
    samples: FlowSamples,
    seconds: float,
    left_out: tuple[int, ...] = (),
) -> Trained:
    """The model, its calibration chosen on validation persons, its card judged on test persons."""
    people = split(samples.persons)
    calibration = calibrate(ask(model, samples.of(people.validation), recipe.fit), model.layout)
    card: dict[str, Any] = {
        "licence": "Apache-2.0",
        "attribution": ATTRIBUTION,
        "recipe": json.loads(json.dumps(asdict(recipe))),
        "split": asdict(people),
        "validation": judge(model, samples, people.validation, recipe.fit, calibration),
        "test": judge(model, samples, people.test, recipe.fit, calibration),
        "smiles": smiles(model, samples, people.test, recipe.fit, calibration),
        "minutes": round(seconds / 60, 1),
    }
    return Trained(model, recipe.fit.sizes, calibration, samples.spec, card, left_out)


def judge(
    model: MicroAuClip,
    samples: FlowSamples,
    persons: Iterable[str],
    recipe: Recipe,
    calibration: Calibration,
) -> dict[str, dict[str, Any]]:
    """Geometry -> figures of these persons in it."""
    by_geometry: dict[str, list[str]] = {}
    for name in persons:
        by_geometry.setdefault(geometry(name), []).append(name)
    by_geometry.pop(SMILE, None)  # one unit, always there: `smiles`
    return {
        kind: report(ask(model, samples.of(names), recipe), calibration, samples.aus)
        for kind, names in sorted(by_geometry.items())
    }


def smiles(
    model: MicroAuClip,
    samples: FlowSamples,
    persons: Iterable[str],
    recipe: Recipe,
    calibration: Calibration,
) -> dict[str, float]:
    """Real smiles of these persons: bin of amplitude, percent OED -> share in which AU12 is decided."""
    names = [name for name in persons if geometry(name) == SMILE]
    if not names:
        return {}
    unit = samples.aus.index(12)
    said = ask(model, samples.of(names), recipe)
    odds = said.logits[:, unit : unit + 1].astype(np.float64) / calibration.temperature[unit]
    only = replace(
        said, labels=said.labels[:, unit : unit + 1], amplitude=said.amplitude[:, unit : unit + 1]
    )
    return recall_by_amplitude(only, sigmoid(odds) >= calibration.threshold[unit])
