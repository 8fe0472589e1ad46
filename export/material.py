"""What a variant is calibrated and judged on: real flow samples as inputs of the model, with labels.

Two kinds of folder: the generated flow samples that `microau-train` keeps (default model), and data sets
that `microau-data prepare` made (the paper's model, whose flow image is larger). Ranges are measured on
persons that the checkpoint was trained on, quality on those that it was not, where its card names them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..engine.bundle import Bundle
from ..engine.errors import MicroauError
from ..training.checkpoint import Trained
from ..training.flow_samples import read_shards
from ..training.prepare.cache import INDEX
from ..training.protocol.samples import Samples, read_samples
from .bundle import describe
from .compare import inputs_of, labels_of

Array = NDArray[np.float32]
CALIBRATION = 256
"""Samples on which ranges are measured."""
JUDGED = 1024
"""Most samples on which a variant is judged."""


@dataclass(frozen=True, slots=True)
class Material:
    """Inputs by name, samples first."""

    calibration: Mapping[str, Array]
    judged: Mapping[str, Array]
    labels: NDArray[np.int64]
    """(S, N) of the judged: 1 moving, 0 still, -1 neither; the bundle's units."""


def read_material(folder: Path, trained: Trained) -> Material:
    """Raises MicroauError where the samples do not belong to the checkpoint."""
    bundle = describe(trained, folder, "", "")
    if (folder / INDEX).is_file():
        return _prepared(folder, trained, bundle)
    return _generated(folder, trained, bundle)


def _generated(folder: Path, trained: Trained, bundle: Bundle) -> Material:
    samples = read_shards(sorted(folder.rglob("*.safetensors")))
    samples.spec.require(bundle.flow, "the flow samples")
    if samples.aus != tuple(trained.model.layout.aus):
        raise MicroauError(f"the flow samples are of units {samples.aus}, which are not the checkpoint's")
    known, unknown = _halves(trained, [samples.persons[i] for i in samples.person])
    first, second = samples.take(_spread(known, CALIBRATION)), samples.take(_spread(unknown, JUDGED))
    return Material(inputs_of(first, bundle), inputs_of(second, bundle), labels_of(second, bundle))


def _prepared(folder: Path, trained: Trained, bundle: Bundle) -> Material:
    samples = read_samples([folder], units=trained.model.layout.aus)
    known, unknown = _halves(trained, samples.persons)
    first, second = samples.take(_spread(known, CALIBRATION)), samples.take(_spread(unknown, JUDGED))
    offered = [samples.units.index(unit.au) for unit in bundle.units]
    return Material(_inputs(first, bundle), _inputs(second, bundle), second.labels[:, offered])


def _inputs(samples: Samples, bundle: Bundle) -> dict[str, Array]:
    """Landmarks stand on the apex, as the paper has them."""
    rows = range(len(samples))
    points = [samples.arrays(row).apex_points[bundle.positions(), :2] for row in rows]
    return {
        "flow": samples.images(rows, bundle.flow.size),
        "landmarks": np.stack(points).astype(np.float32),
    }


def _halves(trained: Trained, persons: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of persons that the checkpoint was trained on, and of those it was validated on."""
    split = trained.card.get("split", {})
    rows = np.arange(len(persons))
    if not split:
        return rows, rows
    known, unknown = (rows[np.isin(persons, list(split[part]))] for part in ("train", "validation"))
    if not len(known) or not len(unknown):
        raise MicroauError("the samples hold none of the persons of the checkpoint's split")
    return known, unknown


def _spread(rows: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """At most `count` of the rows, evenly from all persons."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, count).astype(np.intp))]
