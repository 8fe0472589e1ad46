"""Prepared samples on disk: one file per pair of pictures, and an index with the labels.

    CACHE/casme2-0123456789ab/       data set and settings
        index.json                   labels of every sample, settings, and what failed
        <hash of the pictures>.safetensors

A file is named by its pictures' content: labels may change without anything being computed again, and
a run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from ...engine.errors import MicroauError
from ..datasets.aus import AuCode, parse_aus
from ..datasets.sample import Sample
from .pair import Prepared

INDEX = "index.json"
ARRAYS = tuple(entry.name for entry in fields(Prepared))


@dataclass(frozen=True, slots=True)
class Entry:
    """One sample of the index."""

    key: str
    """Unique within the data set."""
    file: str
    dataset: str
    subject: str
    clip: str
    kind: str
    rate: float
    onset: int
    apex: int
    offset: int | None
    aus: str
    """Canonical, see `datasets.aus`; '' where not coded."""
    emotion: str
    objective: int | None
    source: str
    errata: tuple[str, ...]
    pictures: tuple[str, ...] = ()
    """Hashes of the onset, apex and offset pictures, for the leak guard (`datasets.guard`)."""

    @property
    def code(self) -> AuCode:
        """The units with side, intensity and doubt."""
        return parse_aus(self.aus)


@dataclass(frozen=True, slots=True)
class Cache:
    """A prepared data set."""

    folder: Path
    settings: dict[str, Any]
    entries: tuple[Entry, ...]
    failed: dict[str, str]
    """Sample -> why it could not be prepared."""

    def load(self, entry: Entry) -> Prepared:
        """The arrays of one sample."""
        return read_arrays(self.folder / entry.file)


def content_name(pictures: Sequence[str]) -> str:
    """File name of a pair: the hash of the hashes of its pictures."""
    return f"{hashlib.sha256(' '.join(pictures).encode()).hexdigest()[:24]}.safetensors"


def write_arrays(path: Path, prepared: Prepared) -> None:
    """The file appears only when it is whole."""
    partial = path.with_suffix(f".{os.getpid()}.partial")  # two processes may meet the same pair
    save_file({name: np.ascontiguousarray(getattr(prepared, name)) for name in ARRAYS}, partial)
    partial.replace(path)


def read_arrays(path: Path) -> Prepared:
    """The way back."""
    return Prepared(**load_file(path))


def entry_of(sample: Sample, apex: int, file: str, pictures: Sequence[str]) -> Entry:
    """A sample's labels for the index."""
    return Entry(
        key=sample.key,
        file=file,
        dataset=sample.dataset,
        subject=sample.subject,
        clip=sample.clip,
        kind=sample.kind,
        rate=sample.rate,
        onset=sample.onset,
        apex=apex,
        offset=sample.offset,
        aus=str(sample.aus),
        emotion=sample.emotion,
        objective=sample.objective,
        source=sample.source,
        errata=sample.errata,
        pictures=tuple(pictures),
    )


def write_index(
    folder: Path, settings: dict[str, object], entries: Sequence[Entry], failed: dict[str, str]
) -> None:
    """Replace the index in one step."""
    record = {"settings": settings, "samples": [asdict(entry) for entry in entries], "failed": failed}
    partial = folder / f"{INDEX}.partial"
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / INDEX)


def read_cache(folder: Path) -> Cache:
    """A prepared data set. MicroauError where the folder holds none."""
    path = folder / INDEX
    if not path.is_file():
        raise MicroauError(
            f"{folder}: no prepared data set; make one: microau-data prepare NAME FOLDER --out DIR"
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        entries = tuple(_entry(row) for row in record["samples"])
        return Cache(folder, record["settings"], entries, record["failed"])
    except (ValueError, KeyError, TypeError) as error:
        raise MicroauError(f"{path}: no index of a prepared data set: {error!r}") from None


def _entry(row: dict[str, Any]) -> Entry:
    lists = {name: tuple(row[name]) for name in ("errata", "pictures")}
    return Entry(**row | lists)
