"""Action units of given pairs: generated ones of held-out persons, and real photographs and footage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

import microau
from microau.engine.describe import Describer
from microau.engine.errors import MicroauError
from microau.engine.facial_flow import facial_flow
from microau.training import metrics
from microau.training.generate.ict import load_ict
from microau.training.generate.people import Studio, photo_people
from microau.training.generate.samples import AUS, Pair, PairConfig, pairs
from microau.training.quality import PAPER_AUS
from microau.training.sources import photo_sources, sparse_sources
from microau.training.splits import split

MOVES, STILL = 0.5, 0.2
"""Percent OED: moving from the one, still up to the other."""
WEAK_SMILES = ("005", "042")
NEUTRAL = (
    ("smile_d0.mp4", 0, 8), ("single_face.mp4", 0, 14),
    *(("glasses_d9.mp4", *part) for part in ((0, 8), (26, 34), (52, 58))),
    *((f"grid_{name}.mpg", 0, 4) for name in ("bbaf2n", "brbk7n")),
)  # fmt: skip
"""Real clips and the frames in which nothing but the head, the eyes and the camera moves: in smile_d0 the
mouth widens from frame 9 on, and the other speakers of GRID open it at once."""
BLINKS = (("glasses_d9.mp4", 8, 26), ("glasses_d9.mp4", 34, 52))
"""The same with blinks. At their end the upper lids do rise, which in a single pair is AU5."""
QUIET_NOISE = 1.5
"""Gray levels, standard deviation of a good camera's noise."""
STEP = 4
"""Frames between the two pictures of a neutral pair: 130 to 160 ms."""


def generated_pairs(media: Path, count: int, seed: int) -> dict[str, dict[str, float]]:
    """Way to move -> F1 of all units and of the paper's eight, side, still pairs with a unit."""
    photos, model = media / "london" / "neutral_front", load_ict(media / "face3d" / "ict_facekit.npz")
    test = split(s.name for s in [*photo_sources(photos), *sparse_sources(photos)]).test
    by_name = {s.name: s for s in [*photo_sources(photos), *sparse_sources(photos)]}
    people = defaultdict(list)
    for name in test:
        people[name.partition("/")[0]].append(by_name[name].load())
    people["face3d"] = [Studio(model).person(number, seed) for number in range(len(people["photo"]))]
    config = PairConfig(amplitude=(0.8, 4.0), still=0.3, speech=0.0)
    return {
        kind: _judged(list(pairs(np.random.default_rng(seed), cast, count * len(cast), config)))
        for kind, cast in people.items()
    }


def _judged(made: list[Pair]) -> dict[str, float]:
    with Describer() as describer:
        flows = [facial_flow(pair.onset, pair.apex, pair.points) for pair in made]
        said = describer.describe_flows(flows, [pair.points for pair in made])
        aus = [unit.au for unit in describer.bundle.units]
    peak = np.stack([pair.amplitudes.max(axis=1) for pair in made])[:, [AUS.index(au) for au in aus]]
    truth = np.where(peak >= MOVES, 1, np.where(peak <= STILL, 0, -1))
    decided = np.array([[au in {u.au for u in one.present} for au in aus] for one in said])
    f1 = metrics.presence_f1(truth, decided)
    still, right = peak.max(axis=1) <= STILL, _sides(made, said)
    return {
        "f1": metrics.mean(f1),
        "f1_paper": metrics.mean(f1[np.isin(aus, PAPER_AUS)]),
        "side": float(np.mean(right)) if right else float("nan"),
        "sided": len(right),
        "still": float(decided[still].any(axis=1).mean()),
        "pairs": len(made),
    }


def _sides(made: list[Pair], said: list) -> list[bool]:
    """Of every one-sided unit that is named: whether that side is."""
    right = []
    for pair, one in zip(made, said, strict=True):
        for unit in one.present:
            left, other = pair.amplitudes[AUS.index(unit.au)]
            if max(left, other) >= MOVES and min(left, other) < 0.25 * max(left, other):
                right.append(unit.side == ("L" if left > other else "R"))
    return right


def real_pairs(media: Path) -> dict[str, str]:
    """Photographs of held-out persons, and neutral stretches of real footage."""
    return {
        "smiles": _smiles(media / "london"), "jitter": _jitter(media, quiet=False),
        "quiet": _jitter(media, quiet=True), "neutral": _neutral(media, NEUTRAL),
        "blinks": _neutral(media, BLINKS),
    }  # fmt: skip


def _smiles(london: Path) -> str:
    test = [
        n.partition("/")[2][:3] for n in split(s.name for s in photo_sources(london / "neutral_front")).test
    ]
    found = []
    for person in (p for p in test if p not in WEAK_SMILES):
        said = microau.analyze_pair(
            london / "neutral_front" / f"{person}_03.jpg", london / "smiling_front" / f"{person}_08.jpg"
        )
        found.append("AU12" in said.present)
    return f"{sum(found)} of {len(found)}"


def _jitter(media: Path, quiet: bool) -> str:
    """Still faces whose heads shift and turn; quiet: before a good camera, from 85 pixels on."""
    photos = media / "london" / "neutral_front"
    stems = held_out(photos)
    config = PairConfig(still=1.0, speech=0.0, blink=0.0, gaze=0.0)
    if quiet:
        config = replace(config, compressed=0.0, sizes=(85.0, 112.0, 145.0))
    drawn = pairs(np.random.default_rng(7), photo_people(photos, stems), 75 * len(stems), config)
    made = [pair for pair in drawn if not quiet or pair.nuisance["noise"] <= QUIET_NOISE]
    with Describer() as describer:
        named = [bool(describer.describe(p.onset, p.apex, p.points).present) for p in made]
    return f"{sum(named)} of {len(named)}"


def _neutral(media: Path, stretches: Iterable[tuple[str, int, int]]) -> str:
    named = []
    for clip, first, last in stretches:
        frames = _frames(media / "clips" / clip, last)[first::STEP]
        named += [bool(pair.present) for pair in map(analysed, pairwise(frames)) if pair is not None]
    return f"{sum(named)} of {len(named)}"


def analysed(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> microau.Pair | None:
    """What moved between two pictures; None where the face is too small for a pair."""
    try:
        return microau.analyze_pair(*pair)
    except MicroauError as error:
        if "too small" not in str(error):
            raise
        return None


def _frames(path: Path, last: int) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        wanted = zip(range(last + 1), container.decode(video=0), strict=False)
        return [frame.to_ndarray(format="rgb24") for _, frame in wanted]


def held_out(photos: Path) -> list[str]:
    """Stems of the photographs of the test persons."""
    return [name.partition("/")[2] for name in split(s.name for s in photo_sources(photos)).test]
