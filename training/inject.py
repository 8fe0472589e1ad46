"""More acting for the scorer: put into measured motion records, whose noise stays what it was.

    python -m microau.training.inject TRACKS OUT --copies 6 [--face3d NPZ]

Rendering a clip costs twenty times what spotting in it costs. What camera, codec, head, blinks and glances
left in the record of a still face is kept; short and long movements, speech and swallowing are added to the
regions' shifts, their rigid part taken out as the runtime does. What compression does to a small movement
is not in it, so sizes are drawn down to `FADED` of themselves; all tests are on rendered clips.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.landmarks import CANONICAL
from ..engine.motion import Motion
from ..engine.motion_file import load_motions, save_motions
from ..engine.regions import STIFFNESS, centres
from ..engine.rigid import fit_rigid, normalised, rigid_shift
from .command import run_command
from .generate.chance import Excerpts, random_scenario
from .generate.curves import load_recording
from .generate.fields import Fields, FieldsOf, Style
from .generate.people import ict_people
from .generate.scenario import Movement, Scenario

F32 = NDArray[np.float32]
Rng = np.random.Generator

EVENTS = (0, 3, 3, 4)
"""Micro-expressions of a copy, one of these: a part of the copies has none."""
AMPLITUDE = (0.8, 4.0)
"""Percent of the eye distance, even on a logarithmic scale."""
FADED = (0.7, 1.0)
"""Share of a movement that is measured: discs average it, compression takes some."""
ACTED = ("macro", "speech", "swallow")
"""What is added besides; blinks, glances and the head's motion change the picture, not only its shifts."""


def _places() -> F32:
    """(K, 3) of the regions on the canonical face, in OED as `fit_rigid` takes them."""
    mesh = np.concatenate([CANONICAL * np.array([1, -1, -1], np.float32), np.zeros((10, 3), np.float32)])
    return np.asarray(centres(normalised(mesh)[0]), np.float32)


PLACES = _places()


def region_shift(fields: FieldsOf, units: Mapping[str, float]) -> F32:
    """(K, 2) percent of OED that the runtime would measure of these channels, without noise."""
    total = np.zeros((478, 3))
    for name, amplitude in units.items():
        total[:468, :2] += amplitude * np.asarray(fields[name])[:, :2]
    shift = (centres(total)[:, :2] / 100).astype(np.float32)
    head = fit_rigid(PLACES, shift, STIFFNESS)
    return np.asarray(100 * (shift - rigid_shift(head, PLACES)), np.float32)


def acted(
    motions: Sequence[Motion],
    truth: dict[str, Any],
    fields: FieldsOf,
    rng: Rng,
    recorded: Excerpts | None = None,
) -> tuple[list[Motion], dict[str, Any]]:
    """The records of a still face with a scenario acted, and the truth that knows it."""
    scenario = random_scenario(
        rng, fields, motions[-1].time, events=int(rng.choice(EVENTS)), amplitude=AMPLITUDE, confounds=ACTED,
        recorded=recorded,
    )  # fmt: skip
    faded = np.float32(rng.uniform(*FADED))
    records = []
    for motion in motions:
        units = scenario.state(motion.time).units
        more = faded * region_shift(fields, units) if units else np.float32(0)
        records.append(replace(motion, shift=motion.shift + more))
    return records, {**truth, **_told(truth, scenario)}


def _told(truth: dict[str, Any], scenario: Scenario) -> dict[str, Any]:
    """Events and confounds of both."""
    spans = [{"kind": k, "onset_s": a, "offset_s": b} for k, a, b in scenario.spans() if k != "macro"]
    return {
        "events": [_event(movement) for movement in scenario.movements],
        "confounds": [*truth.get("confounds", ()), *spans],
        "injected": True,
    }


def _event(movement: Movement) -> dict[str, Any]:
    moments = {f"{name}_s": getattr(movement.curve, name) for name in ("onset", "apex", "offset")}
    return {
        "kind": movement.kind, "aus": list(movement.units), "amplitude": movement.amplitude, **moments
    }  # fmt: skip


def is_still(truth: Mapping[str, Any]) -> bool:
    """True: nobody acts in it yet."""
    spoken = any(c["kind"] in ACTED for c in truth.get("confounds", ()))
    return not truth.get("events") and not spoken


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 a mistake that the user can mend."""
    return run_command(_parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m microau.training.inject", description="Put movements into motion records."
    )
    parser.add_argument("tracks", type=Path, nargs="+", help="folders of records; still ones are taken")
    parser.add_argument("out", type=Path)
    parser.add_argument("--copies", type=int, default=6, metavar="N")
    parser.add_argument("--face3d", type=Path, metavar="NPZ", help="half of the copies move as the 3D face")
    parser.add_argument(
        "--curves", type=Path, metavar="CSV", help="recorded curves that some movements follow"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.set_defaults(run=_run)
    return parser


def _run(options: argparse.Namespace) -> None:
    people = ict_people(options.face3d, 8, options.seed) if options.face3d else []
    shapes = [person.build(100.0, True) for person in people]
    recorded = load_recording(options.curves).excerpt if options.curves else None
    for path in [p for folder in options.tracks for p in sorted(folder.rglob("*.npz"))]:
        motions, truth = load_motions(path)
        for copy in range(options.copies if is_still(truth) else 0):
            out = options.out / path.parent.name / f"{path.stem}-{copy}.npz"
            if out.exists():
                continue
            rng = np.random.default_rng([options.seed, copy, *f"{path.parent.name}/{path.stem}".encode()])
            style = Style.random(rng)
            sculpted = bool(shapes) and copy % 2 == 1
            fields = shapes[int(rng.integers(8))].with_style(style).fields if sculpted else Fields(style)
            geometry = "mixed" if sculpted else "photo"
            save_motions(out, *acted(motions, {**truth, "geometry": geometry}, fields, rng, recorded))


if __name__ == "__main__":
    sys.exit(main())
