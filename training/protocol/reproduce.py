"""The tables of the paper on a user's own copy: which runs they need, and what these came to.

A run that several tables share is made once, and so is one that an earlier command has made.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...engine.errors import MicroauError
from ..datasets import registry
from ..evaluation.judgement import EmotionTable, UnitTable, judge_emotions, judge_units
from ..evaluation.predictions import Predictions, read_predictions
from ..paper.rows import CHOSEN, FIGURES, ROWS, Row
from ..prepare.cache import INDEX
from ..prepare.config import PrepareConfig
from ..prepare.run import cache_folder, prepare
from .learner import Say
from .run import Extra, chosen_folds, load_samples, run
from .run_folder import PREDICTIONS
from .settings import LearnerChoice, Settings

TABLES = tuple(dict.fromkeys(row.table for row in ROWS))
BASELINES: Mapping[str, str] = {
    "ResNet18": "resnet18",
    "three-stream CNN": "three-stream",
    "logistic regression": "logistic",
    "never": "never",
}
"""Rows of Table IX that are trained here besides the paper's model; the first is also printed there."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row to be shown: the paper's, and the run that stands beside it."""

    row: Row
    settings: Settings | None
    """None: another method, printed figures alone."""

    @property
    def folder(self) -> str:
        """Name of the run's folder."""
        assert self.settings is not None
        return run_name(self.settings)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    units: UnitTable
    emotions: EmotionTable | None
    notes: Mapping[str, float]
    """Means over the folds of what each noted, 'seconds' among them."""
    folds: int


def plan(tables: Iterable[str], base: Settings, dataset: str) -> list[Line]:
    """The rows of these tables, each with its run.

    base     what no table varies: data, protocol, recipe, selection, weights and sizes of the towers
    dataset  loss weights are those that the paper chose for 'samm', else for 'casme2'
    """
    lines = []
    for table in tables:
        of_table = [row for row in ROWS if row.table == table]
        if not of_table:
            raise MicroauError(f"table {table}: there are {', '.join(TABLES)}")
        lines += [Line(row, _settings(row, base, dataset)) for row in of_table]
        if table == "IX":
            there = {row.name for row in of_table}
            extra = [name for name in BASELINES if name not in there]
            lines += [Line(_unprinted(name), _baseline(BASELINES[name], base)) for name in extra]
    return lines


def figure_settings(figure: str, base: Settings, dataset: str) -> dict[str, Settings]:
    """The models that a figure compares."""
    if figure not in FIGURES:
        raise MicroauError(f"figure {figure}: there are {', '.join(FIGURES)}")
    _, models = FIGURES[figure]
    return {name: _paper({**_chosen(dataset), **settings}, base) for name, settings in models.items()}


def run_all(wanted: Sequence[Settings], out: Path, extra: Extra, say: Say) -> None:
    """Make every run that is not there yet, each below `out/runs`."""
    runs = {run_name(settings): settings for settings in wanted}
    for number, (name, settings) in enumerate(runs.items(), 1):
        say(f"run {number} of {len(runs)}: {_told(settings)}")
        run(settings, out / "runs" / name, say, extra)


def run_name(settings: Settings) -> str:
    """Name of a run's folder, the same for the same settings."""
    record = json.dumps(settings.record(), sort_keys=True)
    return f"{settings.learner.name}-{hashlib.sha256(record.encode()).hexdigest()[:10]}"


def outcome(line: Line, out: Path, draws: int = 1000) -> Outcome:
    """Figures of the run beside a row."""
    folder = out / "runs" / line.folder
    predictions: Predictions = read_predictions(folder / PREDICTIONS)
    notes = [json.loads(path.read_text()) for path in sorted(folder.glob("folds/*/notes.json"))]
    means = {name: sum(note[name] for note in notes) / len(notes) for name in notes[0]}
    folds = len(set(predictions.fold))
    return Outcome(judge_units(predictions, draws), judge_emotions(predictions, draws), means, folds)


def hours_of_the_whole(lines: Iterable[Line], out: Path, base: Settings, epochs: int = 80) -> float:
    """Hours for every fold and all epochs, one after the other, from what the folds took; linear in both.

    On a CPU the time of the process itself counts, so other programs on the machine do not matter.
    """
    whole = replace(base, protocol=replace(base.protocol, first=0))
    folds = len(chosen_folds(whole, load_samples(whole)))
    runs = {line.folder: line for line in lines if line.settings is not None}
    seconds = [outcome(line, out, draws=1).notes["seconds"] for line in runs.values()]
    return sum(seconds) * folds * epochs / base.recipe.epochs / 3600


def open_data(folder: Path, dataset: str, out: Path, workers: int, say: Say) -> Path:
    """The prepared cache behind a folder: itself, or what its raw data set is prepared into."""
    if (folder / INDEX).is_file():
        return folder
    loaded = registry.load(dataset, folder)
    config = PrepareConfig()
    counts = {"failed": 0, "prepared": 0}
    for done in prepare(loaded, out / "cache", config, workers):
        counts["failed" if done.why else "prepared"] += 1
        if done.why:
            say(f"{done.sample.key}: {done.why}")
    say(f"{loaded.version}: {counts['prepared']} samples prepared, {counts['failed']} failed")
    return cache_folder(loaded.dataset, out / "cache", config)


def _settings(row: Row, base: Settings, dataset: str) -> Settings | None:
    if row.settings is not None:
        return _paper({**_chosen(dataset), **row.settings}, base)
    if row.table == "IX" and row.name in BASELINES:
        return _baseline(BASELINES[row.name], base)
    return None


def _chosen(dataset: str) -> Mapping[str, Any]:
    return CHOSEN.get(dataset, CHOSEN["casme2"])


def _paper(changes: Mapping[str, Any], base: Settings) -> Settings:
    return replace(base, learner=LearnerChoice("paper", {**base.learner.settings, **changes}))


def _baseline(name: str, base: Settings) -> Settings:
    return replace(base, learner=LearnerChoice(name, {}))


def _unprinted(name: str) -> Row:
    first = ROWS[0]
    nothing = type(first.casme2)(None)
    return replace(first, table="IX", name=name, casme2=nothing, samm=nothing, settings=None)


def _told(settings: Settings) -> str:
    learner = settings.learner
    plain = {k: v for k, v in learner.settings.items() if not isinstance(v, Mapping)}
    return re.sub(r"[{}']", "", f"{learner.name} {plain}")
