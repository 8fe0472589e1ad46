"""A whole run: every fold trained, chosen for and judged, in parallel, going on where it stopped."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ...engine.errors import MicroauError
from ..evaluation.epochs import EPOCHS, join_epochs, write_epochs
from ..evaluation.predictions import Predictions, read_predictions, write_predictions
from ..evaluation.report import predictions_page
from .choose import Choice, choose
from .folds import Fold, guarded, make_folds
from .learner import Answer, Fitted, Job, Say, make_learner
from .run_folder import (
    CONFIG,
    CURVES,
    PREDICTIONS,
    open_run,
    read_curves,
    write_curves,
    write_json,
    write_text,
)
from .samples import Samples, read_samples
from .settings import Settings, settings_of


@dataclass(frozen=True, slots=True)
class Extra:
    """What changes no result."""

    workers: int = 1
    keep_weights: bool = False
    """Leave the weights of every fold in its folder."""
    keep_fold: str = ""
    """The same for the fold of that name alone."""


def run(settings: Settings, folder: Path, say: Say, extra: Extra | None = None) -> Predictions:
    """Make the run in that folder, or go on with it; the predictions of all folds.

    Before anything is trained: MicroauError where settings do not fit the data, LeakError for a leak.
    """
    extra = extra or Extra()
    samples = load_samples(settings)
    folds = chosen_folds(settings, samples)
    make_learner(settings.learner.name, settings.learner.settings, settings.recipe)  # mistakes show here
    for fold in folds:
        guarded(samples, fold.train, fold.test)
    open_run(folder, settings.record(), {"samples": len(samples), "units": list(samples.units)})
    write_json(folder / "folds.json", {fold.name: _people(samples, fold) for fold in folds})
    waiting = [k for k, fold in enumerate(folds) if not _done(folder, fold)]
    units = ", ".join(map(str, samples.units))
    say(f"{len(samples)} samples, units {units}, {len(folds)} folds, {len(waiting)} to do")
    if waiting:
        make_learner(settings.learner.name, settings.learner.settings, settings.recipe).warm(samples, say)
    for count, k in enumerate(_each(folder, waiting, extra, say), 1):
        say(f"fold {folds[k].name} done, {count} of {len(waiting)}")
    return _collect(folder, folds)


def load_samples(settings: Settings) -> Samples:
    """The samples that the settings name."""
    data = settings.data
    if not data.caches:
        raise MicroauError("data.caches is empty: name a folder that microau-data prepare wrote")
    return read_samples([Path(one) for one in data.caches], data.units, data.doubtful, data.least)


def chosen_folds(settings: Settings, samples: Samples) -> list[Fold]:
    """The folds that the settings ask for."""
    p = settings.protocol
    folds = make_folds(p.kind, samples, p.folds, p.test, p.table)
    return folds[: p.first] if p.first else folds


def run_fold(folder: Path, number: int, extra: Extra, say: Say) -> int:
    """One fold of the run in that folder."""
    settings, samples, folds = _opened(folder)
    fold = folds[number]
    here = folder / "folds" / fold.name
    here.mkdir(parents=True, exist_ok=True)
    train, test = guarded(samples, fold.train, fold.test)
    tell = partial(_prefixed, say, fold.name)
    clock = time.process_time if settings.recipe.device == "cpu" else time.perf_counter
    began = clock()
    choice, kept = choose(train, settings, here, tell)
    fitted = _fit(train, test, settings, choice, kept, here, tell)
    write_json(here / "choice.json", asdict(choice))
    write_json(here / "notes.json", fitted.notes() | {"seconds": round(clock() - began, 1)})
    write_curves(here / "curve.csv", fitted.curve)
    if extra.keep_weights or fold.name == extra.keep_fold:
        fitted.save(here)
    answer = fitted.answer(test)
    partial_file = here / f"{PREDICTIONS}.{os.getpid()}.partial"
    write_predictions(partial_file, predictions_of(test, answer, choice, fold.name))
    partial_file.replace(here / PREDICTIONS)
    for state in here.rglob("state.safetensors"):
        state.unlink()
    return number


def _fit(
    train: Samples,
    test: Samples,
    settings: Settings,
    choice: Choice,
    kept: Fitted | None,
    here: Path,
    say: Say,
) -> Fitted:
    """The model of the fold: trained on all of it, or the one that settings were chosen with."""
    if kept is not None and not settings.select.refit:
        return kept
    chosen = {**settings.learner.settings, **choice.values}
    learner = make_learner(settings.learner.name, chosen, settings.recipe)
    state, oracle = here / "state.safetensors", settings.select.oracle
    fitted = learner.fit(Job(train, choice.epochs, test if oracle else None, oracle, state, say))
    if oracle:
        write_epochs(here / EPOCHS, [answer.probability for answer in fitted.watched])
    return fitted


def predictions_of(test: Samples, answer: Answer, choice: Choice, fold: str) -> Predictions:
    """The table of one fold."""
    return Predictions(
        dataset=tuple(entry.dataset for entry in test.entries),
        subject=tuple(entry.subject for entry in test.entries),
        sample=tuple(entry.key for entry in test.entries),
        fold=(fold,) * len(test),
        units=test.units,
        labels=test.labels,
        probability=answer.probability,
        decided=(answer.probability > np.array(choice.thresholds)).astype(np.int64),
        emotion_true=test.emotions,
        emotion=answer.emotion,
    )


def _collect(folder: Path, folds: list[Fold]) -> Predictions:
    """Pool the folds into the tables of the run; what a kill left behind in finished folds goes."""
    for fold in folds:
        for state in (folder / "folds" / fold.name).rglob("state.safetensors"):
            state.unlink()
    tables = [read_predictions(folder / "folds" / fold.name / PREDICTIONS) for fold in folds]
    pooled = joined(tables)
    rows = [
        {"fold": fold.name, **row}
        for fold in folds
        for row in read_curves(folder / "folds" / fold.name / "curve.csv")
    ]
    write_curves(folder / CURVES, rows)
    write_predictions(folder / PREDICTIONS, pooled)
    parts = [folder / "folds" / fold.name / EPOCHS for fold in folds]
    epochs = join_epochs(parts) if all(part.exists() for part in parts) else None
    if epochs is not None:
        write_epochs(folder / EPOCHS, epochs)
    write_text(folder / "report.txt", predictions_page(pooled, True, epochs=epochs) + "\n")
    return pooled


def joined(tables: list[Predictions]) -> Predictions:
    """Several tables with the same units as one."""

    def cells(name: str) -> tuple[str, ...]:
        return tuple(cell for table in tables for cell in getattr(table, name))

    return Predictions(
        cells("dataset"),
        cells("subject"),
        cells("sample"),
        cells("fold"),
        tables[0].units,
        labels=np.concatenate([table.labels for table in tables]),
        probability=np.concatenate([table.probability for table in tables]),
        decided=np.concatenate([table.decided for table in tables]),
        emotion_true=cells("emotion_true"),
        emotion=cells("emotion"),
    )


def _each(folder: Path, waiting: list[int], extra: Extra, say: Say) -> Iterator[int]:
    """Do the folds; the number of each when it is done."""
    if extra.workers == 1:
        yield from (run_fold(folder, k, extra, say) for k in waiting)
        return
    context = multiprocessing.get_context("spawn")  # forked processes inherit torch's threads in any state
    with ProcessPoolExecutor(min(extra.workers, max(len(waiting), 1)), context) as pool:
        try:
            jobs = [pool.submit(run_fold, folder, k, extra, quiet) for k in waiting]
            for job in as_completed(jobs):
                yield job.result()
        finally:
            pool.shutdown(cancel_futures=True)


def quiet(text: str) -> None:
    """Say nothing: lines of several processes would run into one another."""


def _prefixed(say: Say, name: str, text: str) -> None:
    say(f"{name}: {text}")


@lru_cache(maxsize=1)
def _opened(folder: Path) -> tuple[Settings, Samples, list[Fold]]:

    settings = settings_of(json.loads((folder / CONFIG).read_text(encoding="utf-8")), str(folder / CONFIG))
    samples = load_samples(settings)
    return settings, samples, chosen_folds(settings, samples)


def _done(folder: Path, fold: Fold) -> bool:
    return (folder / "folds" / fold.name / PREDICTIONS).exists()


def _people(samples: Samples, fold: Fold) -> dict[str, list[str]]:
    sides = {"train": samples.take(fold.train), "test": samples.take(fold.test)}
    return {name: sorted(set(side.persons)) for name, side in sides.items()}
