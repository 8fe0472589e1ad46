"""Make the flow samples of the default model: pairs of pictures, measured by the runtime's own flow.

One shard holds one person, so that a split by person is a split by file. Shards that are already
there are kept: a run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from ..engine.facial_flow import RUNTIME
from ..engine.flow import optical_flow
from ..engine.flow_image import percent_flow
from ..engine.rigid import remove_rigid
from ..engine.tvl1_cpu import REVISION
from .flow_samples import FlowSamples, write_shard
from .generate.people import Person
from .generate.posed import Posed, posed_pairs
from .generate.samples import AUS, Pair, PairConfig, pairs
from .sources import Source


@dataclass(frozen=True, slots=True)
class Batch:
    """Pairs of one kind, and how many of them."""

    count: int
    config: PairConfig


def _default_kinds() -> tuple[Batch, ...]:
    micro = PairConfig(amplitude=(0.5, 5.0), still=0.12, speech=0.0)
    macro = PairConfig(amplitude=(4.0, 14.0), still=0.0, speech=0.0)
    still = PairConfig(still=1.0, speech=0.0, blink=0.25, compressed=0.7)
    return Batch(140, micro), Batch(24, macro), Batch(28, still)


@dataclass(frozen=True, slots=True)
class Making:
    """What is made of every person."""

    seed: int = 1
    kinds: tuple[Batch, ...] = field(default_factory=_default_kinds)
    """Speech is left out: a mouth shape of speech and the unit that it resembles are one movement in a
    single pair; the spotter tells them apart by their time course."""
    smiles: Batch = field(default_factory=lambda: Batch(64, PairConfig()))
    """Of every person whose smile is at hand."""
    shrunk: float = 0.08
    """Smallest factor on the motion of a smile: from a smile to a micro-expression. A third keep theirs."""
    flow: str = RUNTIME.algorithm
    """Of `engine.flow`; another than the runtime's is for comparison, and ships in no bundle."""

    def share(self, share: float) -> Making:
        """The same with fewer pairs of each kind."""
        kinds = tuple(replace(kind, count=round(share * kind.count)) for kind in self.kinds)
        return replace(self, kinds=kinds)

    def key(self) -> str:
        """Changes with anything that changes the samples, the flow included."""
        making = asdict(self)
        flow = making.pop("flow")
        record = {"making": making, "flow": RUNTIME.to_json(), "revision": REVISION, "aus": AUS}
        key = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:12]
        return key if flow == RUNTIME.algorithm else f"{key}-{flow}"


def make_shards(
    sources: Sequence[Source],
    making: Making,
    cache: Path,
    say: Callable[[str], None] = lambda text: None,
    workers: int = 1,
) -> list[Path]:
    """One shard per person below `cache`, in a folder named after the settings.

    workers  processes; the samples are the same however many there are
    """
    folder = cache / making.key()
    folder.mkdir(parents=True, exist_ok=True)
    paths = {source.name: folder / f"{source.name.replace('/', '-')}.safetensors" for source in sources}
    missing = [source for source in sources if not paths[source.name].exists()]
    with ProcessPoolExecutor(max(workers, 1), mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_make_shard, source, making, paths[source.name]) for source in missing]
        for done, job in enumerate(as_completed(jobs), 1):
            say(f"samples of {job.result()}, {done} of {len(missing)}")
    return list(paths.values())


def _make_shard(source: Source, making: Making, path: Path) -> str:
    cv2.setNumThreads(1)
    person = source.load()
    if isinstance(person, Posed):
        write_shard(smile_samples(source.name, person, making), path)
    else:
        write_shard(make_samples(source.name, person, making.share(source.share)), path)
    return source.name


def make_samples(name: str, person: Person, making: Making) -> FlowSamples:
    """All samples of one person; the same name and settings give the same samples."""
    rng = np.random.default_rng((making.seed, *name.encode()))
    made = [pair for kind in making.kinds for pair in pairs(rng, [person], kind.count, kind.config)]
    return measured(name, made, making.flow)


def smile_samples(name: str, person: Posed, making: Making) -> FlowSamples:
    """Samples of a real smile; its motion is made smaller, and with it what its units reached."""
    rng = np.random.default_rng((making.seed, *name.encode()))
    made = list(posed_pairs(rng, person, making.smiles.count, making.smiles.config))
    samples = measured(name, made, making.flow)
    factor = np.exp(rng.uniform(np.log(making.shrunk), 0.0, len(samples))).astype(np.float32)
    factor[rng.random(len(samples)) < 1 / 3] = 1.0
    weight = factor[:, None, None]
    smaller = (samples.flow * weight[..., None]).astype(np.float16)
    return replace(samples, flow=smaller, amplitude=samples.amplitude * weight)


def measured(name: str, made: Sequence[Pair], flow: str = RUNTIME.algorithm) -> FlowSamples:
    """Pairs of one person -> samples, by the runtime's own flow or another."""
    follow = optical_flow(flow)
    flows = [
        percent_flow(remove_rigid(follow(pair.onset, pair.apex), pair.points), RUNTIME) for pair in made
    ]
    return FlowSamples(
        flow=np.stack(flows).astype(np.float16),
        points=np.stack([pair.points[:, :2] for pair in made]).astype(np.float32),
        amplitude=np.stack([pair.amplitudes for pair in made]),
        person=np.zeros(len(made), np.int32),
        aus=AUS,
        persons=(name,),
        spec=RUNTIME if flow == RUNTIME.algorithm else replace(RUNTIME, algorithm=flow, parameters={}),
    )
