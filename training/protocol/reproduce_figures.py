"""Figures 5, 6 and 7 from the models of one fold, on people whom these had not seen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from ...engine.errors import MicroauError
from ...engine.registration import CROP
from ..figures import (
    FacePanel,
    attention_figure,
    attention_map,
    embed,
    embedding_figure,
    similarity_figure,
    similarity_matrix,
)
from ..figures.attention import unit_points
from ..layout import Layout
from ..model import Prediction
from ..paper.network import PaperModel
from .folds import Fold, inner_split
from .learner import Job, Say, make_learner
from .network import NetworkLearner
from .run import chosen_folds, load_samples
from .samples import Samples
from .settings import Settings
from .state import put_back

FACES = 4
"""Units that Figure 5 shows."""
ALIKE = 4
"""Samples with, and without, the unit in Figure 6, as in the paper."""
ENOUGH = 20
"""Test samples from which t-SNE is drawn of them alone; with fewer the training samples join."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a trained model makes of some samples."""

    layout: Layout
    attention: NDArray[np.float32]
    """(S, N, L)"""
    features: NDArray[np.float32]
    """(S, N, D)"""
    probability: NDArray[np.float32]
    """(S, N)"""
    landmarks: NDArray[np.float32]
    """(S, K, 2) pixels of the crop."""
    grid: tuple[int, int]


def figure_fold(settings: Settings) -> Fold:
    """The fold whose models are shown: of those that run, the one with most test samples."""
    return max(chosen_folds(settings, load_samples(settings)), key=lambda fold: len(fold.test))


def draw(figure: str, models: Mapping[str, tuple[Settings, Path]], out: Path, say: Say) -> Path:
    """Draw a figure.

    models  name -> settings and folder of a finished run
    return  the picture
    """
    first = next(iter(models.values()))[0]
    samples, fold = load_samples(first), figure_fold(first)
    test = samples.take(fold.test)
    path = out / f"figure-{figure}.png"
    if figure == "5":
        _faces(path, _seen(*next(iter(models.values())), fold, test, say), test, fold.name)
        return path
    unit = int((test.labels == 1).sum(axis=0).argmax())
    who = f"test people of {fold.name}"
    if figure == "7" and len(test) < ENOUGH:
        test, who = samples, "training and test people"
    seen = {name: _seen(*model, fold, test, say) for name, model in models.items()}
    drawer = {"6": _alike, "7": _plane}[figure]
    drawer(path, seen, test, unit, who)
    return path


def model_of(settings: Settings, run: Path, fold: Fold, say: Say) -> tuple[NetworkLearner, PaperModel]:
    """The model of one fold: its weights where they were kept, else trained again, which gives the same."""
    here = run / "folds" / fold.name
    choice = json.loads((here / "choice.json").read_text(encoding="utf-8"))
    values = {**settings.learner.settings, **choice["values"]}
    learner = make_learner(settings.learner.name, values, settings.recipe)
    if not isinstance(learner, NetworkLearner):
        raise TypeError(f"{settings.learner.name} has no network to show")
    train = load_samples(settings).take(fold.train)
    if settings.select.asks and not settings.select.refit:
        train = train.take(inner_split(train, settings.select.share)[0])
    weights = here / "weights.safetensors"
    if not weights.exists():
        learner.fit(Job(train, choice["epochs"], state=here / "figure.safetensors", say=say)).save(here)
        (here / "figure.safetensors").unlink(missing_ok=True)
    model = learner.build(train).to(settings.recipe.device)
    put_back(model, load_file(weights))
    if not isinstance(model, PaperModel):
        raise TypeError("figures show the paper's model")
    return learner, model.eval()


def _seen(settings: Settings, run: Path, fold: Fold, samples: Samples, say: Say) -> Seen:
    learner, model = model_of(settings, run, fold, say)
    feed, parts = learner.feed(model, samples), []
    with torch.no_grad():
        for rows in np.array_split(np.arange(len(samples)), -(-len(samples) // settings.recipe.batch)):
            hidden, points = feed(rows)
            said: Prediction = model.from_frozen(hidden, points)
            probability = said.logits.softmax(dim=-1)[..., 1]
            parts.append([t.cpu().numpy() for t in (said.attention, said.features, probability, points)])
    attention, features, probability_, landmarks = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return Seen(model.layout, attention, features, probability_, landmarks, model.visual.grid)


def _faces(path: Path, seen: Seen, samples: Samples, fold: str) -> None:
    """The surest sample of each of the units that most samples show."""
    shown = np.argsort(-(samples.labels == 1).sum(axis=0), kind="stable")[:FACES]
    panels = []
    for n in shown:
        rows = np.flatnonzero(samples.labels[:, n] == 1)
        if not rows.size:
            continue
        row, au = int(rows[seen.probability[rows, n].argmax()]), samples.units[n]
        points = seen.landmarks[row]
        heat = attention_map(seen.layout, seen.attention[row], points, [au], seen.grid, CROP)
        title = f"AU{au}, {samples.entries[row].subject}, p {seen.probability[row, n]:.2f}"
        crop = samples.arrays(row).apex
        panels.append(FacePanel(crop, heat, unit_points(seen.layout, points, [au]), title))
    if not panels:
        raise MicroauError(f"figure 5: no test sample of fold {fold} shows a unit")
    attention_figure(path, panels, f"Attention over landmarks, test people of {fold}")


def _alike(path: Path, seen: Mapping[str, Seen], samples: Samples, unit: int, who: str) -> None:
    labels = samples.labels[:, unit]
    rows = np.concatenate([np.flatnonzero(labels == state)[:ALIKE] for state in (0, 1)])
    matrices = {name: similarity_matrix(one.features[rows, unit]) for name, one in seen.items()}
    title = f"AU{samples.units[unit]}, 0 without and 1 with it, {who}"
    similarity_figure(path, matrices, labels[rows].tolist(), title)


def _plane(path: Path, seen: Mapping[str, Seen], samples: Samples, unit: int, who: str) -> None:
    points = {name: embed(one.features[:, unit]) for name, one in seen.items()}
    title = f"t-SNE of AU{samples.units[unit]}, {len(samples)} samples ({who})"
    embedding_figure(path, points, np.maximum(samples.labels[:, unit], 0).tolist(), title)
