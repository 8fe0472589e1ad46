"""Prepared samples as a learner sees them: labels, persons, flow images, landmarks.

in    folders that `microau-data prepare` wrote
out   Samples: labels in memory, pictures read when they are asked for

Letters: S samples, N action units.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import MicroauError
from ...engine.facial_flow import RUNTIME
from ...engine.flow_image import flow_image
from ..datasets.aus import Reading, presence
from ..datasets.emotions import label_of
from ..datasets.guard import Fingerprint
from ..datasets.registry import person
from ..prepare.cache import Cache, Entry, read_arrays, read_cache
from ..prepare.pair import Prepared

PAPER_UNITS = (1, 2, 4, 7, 12, 14, 15, 17)
"""Units of the paper's Table I."""
LEAST = 14
"""A unit is learned where more samples than this show it (as in the paper)."""

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Some samples of one or several data sets, in a fixed order."""

    entries: tuple[Entry, ...]
    files: tuple[Path, ...]
    """(S,) where the arrays of each sample lie."""
    units: tuple[int, ...]
    """(N,) FACS numbers, ascending."""
    labels: NDArray[np.int64]
    """(S, N) 1 present, 0 absent, -1 not coded."""
    emotions: tuple[str, ...]
    """(S,) class of the three-class protocol, '' where it leaves the sample out."""

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def persons(self) -> tuple[str, ...]:
        """(S,) who it is, unique over all data sets."""
        return tuple(person(entry.dataset, entry.subject) for entry in self.entries)

    def take(self, rows: Rows) -> Samples:
        """Those samples, in that order."""
        return replace(
            self,
            entries=tuple(self.entries[i] for i in rows),
            files=tuple(self.files[i] for i in rows),
            labels=self.labels[rows],
            emotions=tuple(self.emotions[i] for i in rows),
        )

    def prints(self) -> list[Fingerprint]:
        """What must not stand on both sides of a split."""
        pairs = zip(self.entries, self.persons, strict=True)
        return [Fingerprint(e.key, who, frozenset(e.pictures)) for e, who in pairs]

    def arrays(self, row: int) -> Prepared:
        """Crops, landmarks and flow of one sample."""
        return read_arrays(self.files[row])

    def images(self, rows: Iterable[int], size: int) -> NDArray[np.float32]:
        """Flow images (K, 3, size, size): horizontal and vertical motion, strain (`engine.flow_image`)."""
        spec = replace(RUNTIME, size=size)
        return np.stack([flow_image(self.arrays(i).flow.astype(np.float32), spec) for i in rows])


def read_samples(
    folders: Sequence[Path], units: Sequence[int] = (), doubtful: Reading = "present", least: int = LEAST
) -> Samples:
    """Samples of prepared data sets, one after the other.

    units     FACS numbers; none: those of Table I that more than `least` samples show
    doubtful  how uncertain units and alternatives count, see `datasets.aus.presence`

    Samples without any coded unit are left out. MicroauError where nothing remains, or where a cache
    lacks the hashes that the leak guard needs.
    """
    caches = [read_cache(folder) for folder in folders]
    for cache in caches:
        _require_flow(cache)
    pairs = [(entry, cache.folder / entry.file) for cache in caches for entry in cache.entries]
    pairs = [(entry, file) for entry, file in pairs if entry.kind == "micro" and entry.code.coded]
    told = ", ".join(map(str, folders))
    if not pairs:
        raise MicroauError(f"{told}: no prepared micro-expression with coded action units")
    _require_prints(pairs)
    entries, files = zip(*pairs, strict=True)
    names = tuple(sorted(units)) or _frequent(entries, doubtful, least)
    if not names:
        raise MicroauError(f"{told}: no action unit of Table I in more than {least} samples; name units")
    labels = np.array([[presence(e.code, au, doubtful) for au in names] for e in entries], np.int64)
    return Samples(entries, files, names, labels, tuple(label_of(e, "three") or "" for e in entries))


def _require_flow(cache: Cache) -> None:
    """The flow is what this version makes, or what is trained is not what is run."""
    if cache.settings.get("flow") != json.loads(json.dumps(RUNTIME.to_json())):
        raise MicroauError(f"{cache.folder}: another version's flow; run microau-data prepare again")


def _require_prints(pairs: Iterable[tuple[Entry, Path]]) -> None:
    without = [file.parent for entry, file in pairs if not entry.pictures]
    if without:
        raise MicroauError(f"{without[0]}: no hashes of pictures; run microau-data prepare again")


def _frequent(entries: Sequence[Entry], doubtful: Reading, least: int) -> tuple[int, ...]:
    counts = {au: sum(presence(e.code, au, doubtful) == 1 for e in entries) for au in PAPER_UNITS}
    return tuple(au for au, count in counts.items() if count > least)
