"""Make the scorer that microau ships, from photographs and a 3D face.

    python -m microau.training.spotter_recipe MEDIA WORK --workers 2 --out engine/assets/spotter.json

MEDIA  holds london/neutral_front, face3d/ict_facekit.npz and face3d/arkit_curves.csv
WORK   keeps motion records and candidates; what is there is not made again. After a change of the
       spotter remove its *.jsonl, after one of the generator or of the tracking all of it

964 clips in eleven kinds: with micro-expressions and without, photographs moved by the fields and by the 3D
face's shapes, 200 and fewer frames per second, small faces. Half A of the photographs; those that the
quality table is made of are not learned from. About three quarters of an hour on two cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

from . import spot_scorer
from .command import run_command
from .generate.chance import CONFOUNDS
from .motion_tracks import Plan, write_clips
from .sources import photo_sources
from .splits import split

CALM = ("blink", "speech", "sway")
SLOW = (25.0, 30.0, 50.0, 60.0, 100.0, 120.0)
SMALL = (36.0, 62.0)
"""Pixels between the outer eye corners."""
SERIES = (71, 72)
"""Two series with other seeds, so that two processes have the same to do."""
ROUNDS, EVERY_ROUND = 4, 4
"""Rounds of a series, and how many of the kinds, the first, come in each; the others come once."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of clip."""

    name: str
    clips: int
    sculpted: bool = False
    """By the 3D face's shapes instead of the fields."""
    acted: bool = True
    """With micro-expressions."""
    confounds: tuple[str, ...] = tuple(CONFOUNDS)
    fps: tuple[float, ...] = (200.0,)
    oed: tuple[float, float] | None = None


KINDS = (
    Kind("photo", 24),
    Kind("sculpt", 24, sculpted=True),
    Kind("free", 16, sculpted=True, acted=False, confounds=CALM),
    Kind("free2", 16, acted=False),
    Kind("low", 36, fps=SLOW),
    Kind("lows", 36, sculpted=True, fps=SLOW),
    Kind("lowf", 24, sculpted=True, acted=False, confounds=CALM, fps=SLOW),
    Kind("lowf2", 24, acted=False, fps=SLOW),
    Kind("small", 16, oed=SMALL),
    Kind("smalls", 16, sculpted=True, oed=SMALL),
    Kind("smallf", 10, sculpted=True, acted=False, oed=SMALL),
)


def plans(media: Path) -> Iterator[tuple[str, Plan]]:
    """Folder name and plan of every set of clips."""
    for series in SERIES:
        for turn in range(1, ROUNDS + 1):
            for number, kind in enumerate(KINDS if turn == 1 else KINDS[:EVERY_ROUND], 1):
                yield f"{series}{turn}-{kind.name}", _plan(media, kind, int(f"{series}{turn}{number}"))


def _plan(media: Path, kind: Kind, seed: int) -> Plan:
    shapes = media / "face3d" / "ict_facekit.npz" if kind.sculpted else None
    curves = media / "face3d" / "arkit_curves.csv" if kind.sculpted else None
    return Plan(
        media / "london" / "neutral_front", shapes, "A", kind.clips, kind.fps, 6.0 if kind.acted else 10.0,
        3 if kind.acted else 0, (0.8, 4.0), kind.confounds, curves, seed, oed=kind.oed,
    )  # fmt: skip


def kept_for_tests(photos: Path) -> list[str]:
    """Persons of the quality table, which neither the model nor the scorer has seen."""
    return [name.partition("/")[2] for name in split(source.name for source in photo_sources(photos)).test]


def candidates(work: Path, name: str, plan: Plan) -> Path:
    """The set's file of candidates, made where it is missing."""
    cv2.setNumThreads(1)
    out = work / f"{name}.jsonl"
    if not out.exists():
        write_clips(plan, work / name)
        module = "microau.stream.candidates"
        command = [sys.executable, "-m", module, str(work / name), "--scorer", "judged"]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        partly = out.with_suffix(".partly")
        partly.write_text(told, encoding="utf-8")
        partly.replace(out)
    return out


def _run(options: argparse.Namespace) -> None:
    options.work.mkdir(parents=True, exist_ok=True)
    names, sets = zip(*plans(options.media), strict=True)
    with ProcessPoolExecutor(options.workers) as pool:
        files = list(pool.map(partial(candidates, options.work), names, sets))
    known = kept_for_tests(options.media / "london" / "neutral_front")
    test = ["--test", *map(str, options.test)] if options.test else []
    status = spot_scorer.main([*map(str, files), "--without", *known, *test, "--out", str(options.out)])
    if status:
        raise SystemExit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 a mistake that the user can mend."""
    parser = argparse.ArgumentParser(
        prog="python -m microau.training.spotter_recipe", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("media", type=Path, metavar="MEDIA")
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("--out", type=Path, required=True, help="where to write the scorer")
    parser.add_argument("--test", type=Path, nargs="*", help="candidates of other persons, to report on")
    parser.add_argument("--workers", type=int, default=2)
    parser.set_defaults(run=_run)
    return run_command(parser, argv)


if __name__ == "__main__":
    sys.exit(main())
