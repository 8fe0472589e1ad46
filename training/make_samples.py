"""Make the flow samples of the default model: generated pairs, measured by the runtime's own flow.

One shard holds one person, so that a split by person is a split by file. Shards that are already
there are kept: a run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ..engine.facial_flow import RUNTIME, facial_flow
from ..engine.flow_image import percent_flow
from .flow_samples import FlowSamples, write_shard
from .generate.people import Person
from .generate.samples import AUS, Pair, PairConfig, pairs


@dataclass(frozen=True, slots=True)
class Batch:
    """Pairs of one kind, and how many of them."""

    count: int
    config: PairConfig


def _default_kinds() -> tuple[Batch, ...]:
    micro = PairConfig(amplitude=(0.5, 5.0), still=0.12, speech=0.0)
    macro = PairConfig(amplitude=(4.0, 14.0), still=0.0, speech=0.0)
    return Batch(260, micro), Batch(40, macro)


@dataclass(frozen=True, slots=True)
class Making:
    """What is made of every person."""

    seed: int = 1
    kinds: tuple[Batch, ...] = field(default_factory=_default_kinds)
    """Speech is left out: a mouth shape of speech and the unit that it resembles are one movement in a
    single pair; the spotter tells them apart by their time course."""

    def key(self) -> str:
        """Changes with anything that changes the samples, the flow included."""
        record = {"making": asdict(self), "flow": RUNTIME.to_json(), "aus": AUS}
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:12]


def make_shards(
    people: Iterable[tuple[str, Callable[[], Person]]],
    making: Making,
    cache: Path,
    say: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """One shard per person below `cache`, in a folder named after the settings.

    people  name, unique over all sources, and how to load the person
    """
    folder = cache / making.key()
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, load in people:
        path = folder / f"{name.replace('/', '-')}.safetensors"
        if not path.exists():
            write_shard(make_samples(name, load(), making), path)
            say(f"samples of {name}")
        paths.append(path)
    return paths


def make_samples(name: str, person: Person, making: Making) -> FlowSamples:
    """All samples of one person; the same name and settings give the same samples."""
    rng = np.random.default_rng((making.seed, *name.encode()))
    made = [pair for kind in making.kinds for pair in pairs(rng, [person], kind.count, kind.config)]
    return measured(name, made)


def measured(name: str, made: Sequence[Pair]) -> FlowSamples:
    """Pairs of one person -> samples, by the runtime's own flow."""
    flows = [percent_flow(facial_flow(pair.onset, pair.apex, pair.points), RUNTIME) for pair in made]
    return FlowSamples(
        flow=np.stack(flows).astype(np.float16),
        points=np.stack([pair.points[:, :2] for pair in made]).astype(np.float32),
        amplitude=np.stack([pair.amplitudes for pair in made]),
        person=np.zeros(len(made), np.int32),
        aus=AUS,
        persons=(name,),
        spec=RUNTIME,
    )
