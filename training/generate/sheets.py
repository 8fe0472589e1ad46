"""Contact sheets: every unit on one face, to be looked at by somebody who knows FACS.

    python -m microau.training.generate.sheets OUT.jpg                     scikit-image's astronaut
    python -m microau.training.generate.sheets OUT.jpg --face3d FILE.npz   an identity of the 3D face

Per unit: the apex at full strength (about four times a micro-expression), the change of a real
micro-expression (a quarter of it; gray levels times four), and where the mesh points go.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .anatomy import FULL, MIDLINE
from .clip import Face
from .people import Person, face_points, ict_people, photo_person
from .samples import AUS
from .state import REST, State

Picture = NDArray[np.uint8]

OED = 72.0
"""Pixels between the outer eye corners."""
CELL = (150, 178)
"""Width, height of one picture."""
COLUMNS = 3
"""Units in a row of the sheet."""
LABEL = 18
"""Pixels of the strip with the unit's name."""


def astronaut() -> Person:
    """The photograph that scikit-image ships (Eileen Collins, NASA, public domain)."""
    from skimage import data  # of the extra `train`, needed here alone

    photo = np.asarray(data.astronaut(), np.uint8)
    return photo_person("astronaut", photo, face_points(photo, "astronaut"))


def sheet(person: Person) -> Picture:
    """(H, W, 3) RGB, all units on one person."""
    face = person.build(OED, False)
    cells = [unit_cell(face, au) for au in (*AUS, 45)]
    while len(cells) % COLUMNS:
        cells.append(np.full_like(cells[0], 255))
    rows = [np.concatenate(cells[k : k + COLUMNS], axis=1) for k in range(0, len(cells), COLUMNS)]
    return np.concatenate(rows)


def unit_cell(face: Face, au: int) -> Picture:
    """(CELL height + LABEL, 3 CELL widths, 3): apex, change, arrows."""
    names = [f"{au}"] if au in MIDLINE else [f"{au}L", f"{au}R"]
    full = {name: FULL[au] for name in names}
    matrix = face.frame(CELL)
    neutral = face.render(REST, matrix, CELL)
    apex = face.render(State(full), matrix, CELL)
    small = face.render(State({n: a / 4 for n, a in full.items()}), matrix, CELL)
    change = 128 + 4 * (small - neutral)
    panels = [_bytes(p) for p in (apex, change)] + [_arrows(face, full)]
    title = np.full((LABEL, CELL[0] * 3, 3), 255, np.uint8)
    text = "blink (AU45)" if au == 45 else f"AU{au}   apex {FULL[au]:.1f} % of the eye distance"
    cv2.putText(title, text, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([title, np.concatenate(panels, axis=1)])


def _arrows(face: Face, units: dict[str, float]) -> Picture:
    """The face at rest, with the mesh points' displacement drawn twice as long."""
    matrix = face.frame(CELL)
    canvas = _bytes(face.render(REST, matrix, CELL)) // 2 + 110
    before = face.landmarks(REST, matrix)[:468, :2]
    after = before + 2 * (face.landmarks(State(units), matrix)[:468, :2] - before)
    for a, b in zip(before, after, strict=True):
        if np.linalg.norm(b - a) > 1.2:
            ends = [tuple(int(v * 16) for v in point) for point in (a, b)]
            cv2.line(canvas, ends[0], ends[1], (200, 0, 0), 1, cv2.LINE_AA, 4)
            cv2.circle(canvas, ends[1], 16, (200, 0, 0), -1, cv2.LINE_AA, 4)
    return canvas


def _bytes(picture: NDArray[np.floating]) -> Picture:
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)


def main(argv: Sequence[str] | None = None) -> int:
    """Write one sheet."""
    parser = argparse.ArgumentParser(description="Every unit on one face.")
    parser.add_argument("out", type=Path, metavar="OUT.jpg")
    parser.add_argument("--face3d", type=Path, metavar="NPZ", help="ICT-FaceKit as one file of arrays")
    parser.add_argument("--identity", type=int, default=0, help="number of the 3D face's identity")
    options = parser.parse_args(argv)
    person = ict_people(options.face3d, options.identity + 1)[-1] if options.face3d else astronaut()
    cv2.imwrite(str(options.out), sheet(person)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
