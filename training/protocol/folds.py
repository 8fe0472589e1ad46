"""Who is trained on and who judges: by person, never by sample, and every split passes the leak guard.

loso    leave one subject out: as many folds as persons
kfold   persons dealt into k groups of about equally many samples
cross   trained on some data sets, judged on the others
file    a table with the columns dataset, sample, fold, e.g. somebody's predictions.csv
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...engine.errors import MicroauError
from ..datasets.guard import check_split
from .samples import Rows, Samples

KINDS = ("loso", "kfold", "cross", "file")


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One split of the samples."""

    name: str
    """What `predictions.csv` calls it."""
    train: Rows
    test: Rows


def leave_one_out(samples: Samples) -> list[Fold]:
    """One fold per person, in order of first appearance."""
    people = list(dict.fromkeys(samples.persons))
    short = [who.rpartition("/")[2] for who in people]
    names = short if len(set(short)) == len(short) else [who.replace("/", "-") for who in people]
    return _by_group(samples, [(name, {who}) for name, who in zip(names, people, strict=True)])


def grouped(samples: Samples, folds: int) -> list[Fold]:
    """Persons in `folds` groups: each in turn, the largest first, to the group with fewest samples."""
    sizes = Counter(samples.persons)
    if not 2 <= folds <= len(sizes):
        raise MicroauError(f"folds is {folds}: give 2 to {len(sizes)}, the number of subjects")
    groups: list[set[str]] = [set() for _ in range(folds)]
    loads = [0] * folds
    for who in sorted(sizes, key=lambda who: (-sizes[who], _order(who))):
        least = loads.index(min(loads))
        groups[least].add(who)
        loads[least] += sizes[who]
    return _by_group(samples, [(f"fold{k + 1}", group) for k, group in enumerate(groups)])


def across(samples: Samples, test: Sequence[str]) -> list[Fold]:
    """Trained on every data set but those in `test`, judged on these together."""
    on_test = np.array([entry.dataset in test for entry in samples.entries], bool)
    if on_test.all() or not on_test.any():
        raise MicroauError(f"cross: samples to train on and samples of {', '.join(test)} are both needed")
    return [Fold("to-" + "+".join(test), np.flatnonzero(~on_test), np.flatnonzero(on_test))]


def from_table(samples: Samples, path: Path) -> list[Fold]:
    """Test samples of each fold by a table; all others are trained on, so a person in two folds leaks."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        named = {(row["dataset"], row["sample"]): row["fold"] for row in rows}
    except (OSError, KeyError) as error:
        raise MicroauError(f"{path}: no table with the columns dataset, sample, fold: {error!r}") from None
    keys = [(entry.dataset, entry.key) for entry in samples.entries]
    unnamed = [key for key in keys if key not in named]
    if unnamed:
        raise MicroauError(f"{path}: sample {unnamed[0][1]} of {unnamed[0][0]} has no fold")
    fold_of = np.array([named[key] for key in keys])
    names = list(dict.fromkeys(fold_of.tolist()))
    return [Fold(n, np.flatnonzero(fold_of != n), np.flatnonzero(fold_of == n)) for n in names]


def inner_split(samples: Samples, share: float) -> tuple[Rows, Rows]:
    """Rows to fit on and rows to choose settings on, by person; the same for the same people.

    Persons go to the second list, by the hash of their names, until it holds that share of the samples.
    """
    sizes = Counter(samples.persons)
    if len(sizes) < 2:
        raise MicroauError("settings cannot be chosen inside a fold that is trained on one subject")
    chosen: set[str] = set()
    for who in sorted(sizes, key=_order)[: len(sizes) - 1]:
        if sum(sizes[name] for name in chosen) >= share * len(samples):
            break
        chosen.add(who)
    held = np.array([who in chosen for who in samples.persons], bool)
    return np.flatnonzero(~held), np.flatnonzero(held)


def guarded(samples: Samples, first: Rows, second: Rows) -> tuple[Samples, Samples]:
    """Both sides of a split. LeakError where a person or a picture stands on both."""
    one, other = samples.take(first), samples.take(second)
    check_split(one.prints(), other.prints())
    return one, other


def make_folds(kind: str, samples: Samples, count: int, test: Sequence[str], table: str) -> list[Fold]:
    """The folds of one of KINDS."""
    makers: Mapping[str, Callable[[], list[Fold]]] = {
        "loso": lambda: leave_one_out(samples),
        "kfold": lambda: grouped(samples, count),
        "cross": lambda: across(samples, test),
        "file": lambda: from_table(samples, Path(table)),
    }
    folds = makers[kind]()
    if len(folds) < 2 and kind != "cross":
        raise MicroauError("a single subject cannot be trained on and judged: more people are needed")
    return folds


def _by_group(samples: Samples, groups: Sequence[tuple[str, set[str]]]) -> list[Fold]:
    persons = samples.persons
    held = [(name, np.array([who in group for who in persons], bool)) for name, group in groups]
    return [Fold(name, np.flatnonzero(~mask), np.flatnonzero(mask)) for name, mask in held]


def _order(who: str) -> str:
    return hashlib.sha256(who.encode()).hexdigest()
