"""What is chosen inside a training fold: thresholds, the number of epochs, loss weights. Test persons
have no part in it.

The training persons are split once more. Every combination of the grid is trained on the larger part
and asked about the smaller one; the best epoch of the best combination wins. A choice that is made is
written down, so a run that was stopped does not make it again.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..metrics.presence import macro_f1, mean, presence_f1
from .folds import guarded, inner_split
from .learner import Answer, Fitted, Job, Say, make_learner
from .run_folder import write_json
from .samples import Samples
from .settings import Select, Settings

GRID = np.round(np.arange(0.05, 0.951, 0.05), 2)
"""Thresholds that are tried."""
FIGURES = {"macro": macro_f1, "presence": presence_f1}


@dataclass(frozen=True, slots=True)
class Choice:
    """How the fold is trained and decided."""

    values: Mapping[str, Any]
    """Learner settings from the grid."""
    epochs: int
    thresholds: tuple[float, ...]
    """(N,) a unit is decided where its probability is larger."""
    score: float | None
    """Mean figure of the held-out persons at these settings, an optimistic number; None: nothing chosen."""


def choose(train: Samples, settings: Settings, folder: Path, say: Say) -> tuple[Choice, Fitted | None]:
    """The choice for one fold, and the model that it was made with (kept where `refit` is off)."""
    select = settings.select
    if not select.asks:
        half = (0.5,) * len(train.units)
        return Choice({}, settings.recipe.epochs, half, None), None
    fit_rows, held_rows = inner_split(train, select.share)
    fit_on, held = guarded(train, fit_rows, held_rows)
    tried = [
        _try(fit_on, held, values, settings, folder / f"inner{number}", say)
        for number, values in enumerate(combinations(select.grid))
    ]
    return max(tried, key=lambda one: -1.0 if one[0].score is None else one[0].score)  # of equals the first


def combinations(grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every combination of the values.

    >>> combinations({"alpha": [0.2, 0.6], "beta": [1.0]})
    [{'alpha': 0.2, 'beta': 1.0}, {'alpha': 0.6, 'beta': 1.0}]
    """
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def _try(
    fit_on: Samples, held: Samples, values: dict[str, Any], settings: Settings, folder: Path, say: Say
) -> tuple[Choice, Fitted | None]:
    """Train one combination, or read what it came to."""
    folder.mkdir(parents=True, exist_ok=True)
    record, state = folder / "choice.json", folder / "state.safetensors"
    select = settings.select
    if record.exists() and select.refit:
        return _read(record), None
    chosen = {**settings.learner.settings, **values}
    learner = make_learner(settings.learner.name, chosen, settings.recipe)
    job = Job(fit_on, settings.recipe.epochs, held, select.epochs == "inner", state, say)
    fitted = learner.fit(job)
    choice = _judge(fitted.watched, held, values, settings)
    if select.refit:  # else the state is the model that is kept: the fold removes it
        write_json(record, asdict(choice))
        state.unlink(missing_ok=True)
    return choice, None if select.refit else fitted


def _read(path: Path) -> Choice:
    record = json.loads(path.read_text(encoding="utf-8"))
    return Choice(**record | {"thresholds": tuple(record["thresholds"])})


def _judge(
    watched: tuple[Answer, ...], held: Samples, values: dict[str, Any], settings: Settings
) -> Choice:
    """The best of the answers, each at its own best thresholds."""
    options = [_thresholds(answer, held, settings.select) for answer in watched]
    best = int(np.argmax([np.nan_to_num(score, nan=-1.0) for _, score in options]))
    epochs = settings.recipe.epochs - len(watched) + best + 1
    thresholds, score = options[best]
    return Choice(values, epochs, thresholds, None if np.isnan(score) else score)


def _thresholds(answer: Answer, held: Samples, select: Select) -> tuple[tuple[float, ...], float]:
    """Thresholds of the units, and the mean figure that they reach on these samples."""
    figure = FIGURES[select.figure]
    if select.thresholds == "half":
        decided = (answer.probability > 0.5).astype(np.int64)
        return (0.5,) * len(held.units), mean(figure(held.labels, decided))
    tried = np.stack([(answer.probability > step).astype(np.int64) for step in GRID])  # (T, S, N)
    scores = np.stack([figure(held.labels, decided) for decided in tried])  # (T, N)
    columns = zip(scores.T, held.labels.T, strict=True)
    pairs = [_best(column, bool((labels == 1).any())) for column, labels in columns]
    return tuple(threshold for threshold, _ in pairs), mean([reached for _, reached in pairs])


def _best(scores: NDArray[np.float64], present: bool) -> tuple[float, float]:
    """Threshold and figure of one unit; 0.5 where nobody held out shows it, so that nothing is learned."""
    place = best_threshold(scores) if present else int(np.argmin(np.abs(GRID - 0.5)))
    return float(GRID[place]), float(scores[place])


def best_threshold(scores: ArrayLike) -> int:
    """Place of the best score; of several the middle one, which lies farthest from both mistakes.

    >>> best_threshold([0.2, 0.6, 0.6, 0.6, 0.1])
    2
    """
    column = np.nan_to_num(np.asarray(scores, np.float64), nan=-1.0)
    best = np.flatnonzero(column >= column.max() - 1e-12)
    return int(best[len(best) // 2])
