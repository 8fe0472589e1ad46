"""Is the generator's truth true, and how fast is it?

    python benchmarks/generator.py [--photos FOLDER] [--face3d NPZ] [--persons 4] [--table]

Without a folder the photograph is scikit-image's astronaut. One JSON line per geometry and unit: what two
observers who know nothing of the generator see of a movement whose truth is known.
    flow    scikit-image's TV-L1 between the picture at rest and one moved by 1.5 % of the eye distance,
            at the points that move more than half as far as the most moved one: `share` of the true
            displacement that it finds, `cosine` of the direction
    mesh    the runtime's face model on a picture moved at full strength, at the same points
Then one line per geometry with the speed: training pairs and 640x480 frames per second of this
process' own time on one core.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.registration import optical_flow_tvl1

from microau.engine.faces import find_faces
from microau.engine.records import Picture
from microau.training.generate.anatomy import FULL, MIDLINE
from microau.training.generate.camera import Camera
from microau.training.generate.chance import random_scenario
from microau.training.generate.clip import Face, render
from microau.training.generate.people import Person, ict_people, photo_people
from microau.training.generate.samples import AUS, pairs
from microau.training.generate.sheets import astronaut
from microau.training.generate.state import REST, State

Floats = NDArray[np.float64]

AMPLITUDE = 1.5
"""Percent of the eye distance in the flow's test."""
SMALL, LARGE = (110.0, (300, 300)), (200.0, (560, 600))
"""Eye distance and size of the pictures for the flow and for the face model."""


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--face3d", type=Path)
    parser.add_argument("--persons", type=int, default=4)
    parser.add_argument("--table", action="store_true", help="a Markdown table at the end")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    casts = {"photo": photo_people(args.photos, limit=args.persons) if args.photos else [astronaut()]}
    if args.face3d:
        casts["face3d"] = ict_people(args.face3d, args.persons)
    rows = {name: [report(name, people, au) for au in AUS] for name, people in casts.items()}
    for name, people in casts.items():
        print(json.dumps(speed(name, people)), flush=True)
    if args.table:
        print_table(rows)


def report(geometry: str, people: list[Person], au: int) -> dict[str, object]:
    """One line: medians over the persons."""
    seen = np.array(
        [[*by_flow(p.build(SMALL[0], True), au), by_mesh(p.build(LARGE[0], False), au)] for p in people]
    )
    share, cosine, mesh = np.median(seen, axis=0)
    line = {
        "geometry": geometry,
        "unit": f"AU{au:02d}",
        "share": share,
        "cosine": cosine,
        "mesh_cosine": mesh,
    }
    line = {name: round(value, 3) if isinstance(value, float) else value for name, value in line.items()}
    print(json.dumps(line | {"persons": len(people)}), flush=True)
    return line


def by_flow(face: Face, au: int) -> tuple[float, float]:
    """Share of the true displacement that TV-L1 finds, and the cosine of the direction."""
    size = SMALL[1]
    state = State(dict.fromkeys(channels(au), AMPLITUDE))
    matrix = face.frame(size)
    pictures = [face.render(s, matrix, size)[:, :, 0] / 255 for s in (REST, state)]
    rows, columns = optical_flow_tvl1(*pictures, attachment=30)
    places, true = movement(face, state, matrix)
    x, y = np.clip(np.rint(places).astype(int), 0, size[0] - 1).T
    found = np.stack([columns[y, x], rows[y, x]], axis=1)
    return float((found * true).sum() / (true**2).sum()), cosine_of(found, true)


def by_mesh(face: Face, au: int) -> float:
    """Cosine between the true displacement and that of the points that the face model finds."""
    size = LARGE[1]
    state = State(dict.fromkeys(channels(au), FULL[au]))
    matrix = face.frame(size)
    before, after = (mesh_points(face.render(s, matrix, size)) for s in (REST, state))
    _, true = movement(face, state, matrix)
    return cosine_of((after - before)[far(face, state, matrix)], true)


def mesh_points(picture: NDArray[np.floating]) -> Floats:
    """(468, 2) as the runtime finds them."""
    rgb = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    faces = find_faces(Picture.from_rgb(rgb))
    return np.asarray(max(faces, key=lambda face: face.oed).points[:468, :2], np.float64)


def movement(face: Face, state: State, matrix: Floats) -> tuple[Floats, Floats]:
    """Places and true displacements of the points that move most, pixels."""
    before, after = (np.asarray(face.landmarks(s, matrix)[:468, :2], np.float64) for s in (REST, state))
    most = far(face, state, matrix)
    return before[most], (after - before)[most]


def far(face: Face, state: State, matrix: Floats) -> NDArray[np.bool_]:
    """Which mesh points move more than half as far as the most moved one."""
    before, after = (face.landmarks(s, matrix)[:468, :2] for s in (REST, state))
    size = np.linalg.norm(after - before, axis=1)
    return np.asarray(size > 0.5 * size.max())


def channels(au: int) -> list[str]:
    """Both sides of a unit."""
    return [f"{au}"] if au in MIDLINE else [f"{au}L", f"{au}R"]


def cosine_of(one: Floats, other: Floats) -> float:
    return float((one * other).sum() / (np.linalg.norm(one) * np.linalg.norm(other) + 1e-12))


def speed(geometry: str, people: list[Person]) -> dict[str, object]:
    """Pairs and frames per second of this process' time, compilation and loading outside the clock."""
    rng = np.random.default_rng(0)
    list(pairs(rng, people, 40))
    start = time.process_time()
    list(pairs(rng, people, 120))
    per_pair = (time.process_time() - start) / 120
    camera = Camera()
    face = people[0].build(camera.oed, False)
    scenario = random_scenario(rng, face.fields, 1.0)
    shots = camera.shots(0.5, rng)
    for _ in render(scenario, face, camera, shots[:3], rng):
        pass
    start = time.process_time()
    for _ in render(scenario, face, camera, shots, rng):
        pass
    per_frame = (time.process_time() - start) / len(shots)
    return {
        "geometry": geometry,
        "pairs_per_s": round(1 / per_pair, 1),
        "frames_per_s": round(1 / per_frame, 1),
        "size": camera.size,
        "machine": f"{platform.machine()}, {platform.system()}",
    }


def print_table(rows: dict[str, list[dict[str, object]]]) -> None:
    """Markdown: a row per unit, three columns per geometry."""
    head = [f"{g}: {c}" for g in rows for c in ("flow finds", "direction", "mesh direction")]
    print("| unit | " + " | ".join(head) + " |")
    print("| --- " * (len(head) + 1) + "|")
    for lines in zip(*rows.values(), strict=True):
        cells = [f"{line[name]:.2f}" for line in lines for name in ("share", "cosine", "mesh_cosine")]
        print(f"| {lines[0]['unit']} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
