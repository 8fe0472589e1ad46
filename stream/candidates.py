"""Every candidate movement of videos or of motion records, with what the scorer looks at.

    python -m microau.stream.candidates TRACKS > candidates.jsonl

in    `.npz` files that `microau.training.motion_tracks` wrote, folders of them, or videos
out   one JSON object a face: truth, length, noise floor, and its candidates before any is left out

What `microau.training.spot_scorer` learns from: the very numbers that the running spotter has.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..engine.errors import MicroauError
from ..engine.faces import FaceConfig, FaceTracker
from ..engine.motion import FaceMotion, Motion
from ..engine.motion_file import load_motions
from .candidate import Candidate
from .capture import Capture
from .inputs import open_source
from .macro import NO_CROP
from .peaks import Peak
from .rating import rate, rater
from .spotting import SpotConfig, Spotter, Window

SHORTEST_MS = 40.0
"""Candidates from here on are kept, shorter than what is told: a scorer learns what they are."""


class Collector(Spotter):
    """A spotter that keeps every candidate and reports none."""

    def __init__(self, config: SpotConfig) -> None:
        super().__init__(config)
        self.candidates: list[Candidate] = []

    def _windows(self, peak: Peak) -> list[Window]:
        found = self._candidate(peak)
        if found is not None:
            self.candidates.append(found)
        return []


def collect(motions: Iterable[Motion], config: SpotConfig) -> Collector:
    """The spotter of one face after all of its frames."""
    spotter = Collector(config)
    for motion in motions:
        spotter.push(motion)
    spotter.flush()
    return spotter


def find_candidates(motions: Iterable[Motion], config: SpotConfig) -> list[Candidate]:
    """The candidates of one face, in the order in which they are decided."""
    return collect(motions, config).candidates


def as_row(found: Candidate, config: SpotConfig) -> dict[str, Any]:
    """Moments in seconds, the score, the judged score, the features."""
    score, judged = rater(config.scorer, config.limits)(found), rate(found, config.limits)
    moments = {name: round(getattr(found.span, name), 5) for name in ("onset", "apex", "offset")}
    return {
        "channel": found.peak.channel, **moments, "score": round(score, 5), "judged": round(judged, 5),
        "features": {name: round(float(value), 5) for name, value in found.features.items()},
    }  # fmt: skip


def lines(paths: Iterable[Path], config: SpotConfig) -> Iterator[str]:
    """A JSON object for each face of each file."""
    for path in paths:
        for motions, truth in [load_motions(path)] if path.suffix == ".npz" else followed(path):
            spotter = collect(motions, config)
            facts = {
                "clip": f"{path.parent.name}/{path.stem}",
                "seconds": motions[-1].time - motions[0].time,
                "noise": round(spotter.noise, 4),
                "truth": truth,
                "candidates": [as_row(found, config) for found in spotter.candidates],
            }
            yield json.dumps(facts)


def followed(path: Path) -> Iterator[tuple[list[Motion], dict[str, Any]]]:
    """The faces of a video, each with the truth beside it where there is one."""
    tracker, stages = FaceTracker(FaceConfig()), defaultdict[int, FaceMotion](FaceMotion)
    motions = defaultdict[int, list[Motion]](list)
    with Capture(open_source(str(path))) as frames:
        for frame in frames:
            for face in tracker.push(frame):
                if not face.small:
                    motion = stages[face.face_id].push(frame, face)
                    motions[face.face_id].append(replace(motion, crop=NO_CROP))
    beside = path.with_suffix(".truth.json")
    truth = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}
    if truth and len(motions) > 1:
        raise MicroauError(f"{path}: {len(motions)} faces, or one that came back, and a truth for one")
    yield from ((records, truth) for records in motions.values())


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 a mistake that the user can mend."""
    parser = argparse.ArgumentParser(prog="python -m microau.stream.candidates", description=__doc__)
    parser.add_argument("tracks", type=Path, nargs="+", help=".npz files, folders of them, or videos")
    parser.add_argument("--noise-factor", type=float, default=SpotConfig().noise_factor)
    parser.add_argument(
        "--scorer",
        default=SpotConfig().scorer,
        help="whose score: learned (the shipped one), judged, a file",
    )
    options = parser.parse_args(argv)
    try:
        files = [
            f for path in options.tracks for f in (sorted(path.rglob("*.npz")) if path.is_dir() else [path])
        ]
        config = SpotConfig(min_ms=SHORTEST_MS, noise_factor=options.noise_factor, scorer=options.scorer)
        for line in lines(files, config):
            print(line, flush=True)
    except MicroauError as error:
        print(f"candidates: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
