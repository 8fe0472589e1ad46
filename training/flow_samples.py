"""Flow with known truth, kept on disk: what the default model is trained and measured on.

Each sample is the flow that the runtime's own code computed between two generated pictures, made
small, with the landmarks of the onset and how far each unit moved on each side. Shards are
safetensors files; the same seed gives the same shards.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from ..engine.errors import MicroauError
from ..engine.flow_image import FlowSpec


@dataclass(frozen=True, slots=True, eq=False)
class FlowSamples:
    """S samples, N units of `aus`."""

    flow: NDArray[np.float16]
    """(S, size, size, 2) percent OED, head motion taken out, as `engine.flow_image.percent_flow`."""
    points: NDArray[np.float32]
    """(S, 478, 2) crop pixels at the onset."""
    amplitude: NDArray[np.float32]
    """(S, N, 2) percent OED that the subject's left, right moved; equal for a unit without sides;
    NaN where nobody knows."""
    person: NDArray[np.int32]
    """(S,) position in `persons`."""
    aus: tuple[int, ...]
    persons: tuple[str, ...]
    """Names are unique over all sources: 'london/001', 'ict/17'."""
    spec: FlowSpec

    def __len__(self) -> int:
        return len(self.flow)

    def of(self, persons: Iterable[str]) -> FlowSamples:
        """The samples of these persons alone."""
        wanted = set(persons)
        return self.take(np.array([self.persons[i] in wanted for i in self.person], bool))

    def take(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> FlowSamples:
        """Some of the samples, by mask or position."""
        return FlowSamples(
            self.flow[which], self.points[which], self.amplitude[which], self.person[which],
            self.aus, self.persons, self.spec,
        )  # fmt: skip


def write_shard(samples: FlowSamples, path: Path) -> None:
    """One safetensors file; it appears only when it is whole."""
    partial = path.with_suffix(".partial")
    arrays = {name: getattr(samples, name) for name in ("flow", "points", "amplitude", "person")}
    about = {"aus": samples.aus, "persons": samples.persons, "spec": samples.spec.to_json()}
    save_file(arrays, partial, metadata={"about": json.dumps(about)})
    partial.replace(path)


def read_shard(path: Path) -> FlowSamples:
    """The way back."""
    with safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["about"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no iterator
    return FlowSamples(
        **arrays,
        aus=tuple(about["aus"]),
        persons=tuple(about["persons"]),
        spec=FlowSpec.from_json(about["spec"]),
    )


def read_shards(paths: Sequence[Path]) -> FlowSamples:
    """Several shards as one, with one list of persons."""
    if not paths:
        raise MicroauError("no flow samples found. Make them first: microau-train --recipe default.")
    shards = [read_shard(path) for path in paths]
    persons = tuple(dict.fromkeys(name for shard in shards for name in shard.persons))
    place = {name: i for i, name in enumerate(persons)}
    for shard, path in zip(shards, paths, strict=True):
        shard.spec.require(shards[0].spec, str(path))
        if shard.aus != shards[0].aus:
            raise MicroauError(f"{path}: samples of units {shard.aus}, others have {shards[0].aus}.")
    numbers = [np.array([place[n] for n in s.persons], np.int32)[s.person] for s in shards]
    return FlowSamples(
        np.concatenate([s.flow for s in shards]),
        np.concatenate([s.points for s in shards]),
        np.concatenate([s.amplitude for s in shards]),
        np.concatenate(numbers),
        shards[0].aus,
        persons,
        shards[0].spec,
    )
