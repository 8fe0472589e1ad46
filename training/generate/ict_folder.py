"""ICT-FaceKit as it is published: the folder `FaceXModel` of Wavefront files, read into plain arrays.

    generic_neutral_mesh.obj      points, texture places, faces and their materials
    identity000.obj ...           the neutral face with one identity mode at weight 1
    browDown_L.obj, jawOpen.obj   the neutral face with one expression shape at full strength

All files have the same points in the same order (USC Institute for Creative Technologies, MIT licence;
https://github.com/ICT-VGL/ICT-FaceKit).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import MicroauError

NEUTRAL = "generic_neutral_mesh.obj"
IDENTITY = "identity"
LM68 = (
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443,
    268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140, 2075, 1147,
    4269, 3360, 1507, 1542, 1537, 1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732, 5708, 5695,
    2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841, 5702, 5711, 5533, 6216, 6207, 6470, 5517,
    5966,
)  # fmt: skip
"""Points of the 68 landmarks, as the model's own README lists them."""

Arrays = Mapping[str, NDArray[Any]]


def read_folder(folder: Path) -> Arrays:
    """Every array that `ict.load_ict` needs; offsets are float16, as displacements of a millimetre allow.

    folder  FaceXModel, or the checkout that holds it

    Raises MicroauError where files are missing or do not belong together.
    """
    home = folder if (folder / NEUTRAL).is_file() else folder / "FaceXModel"
    if not (home / NEUTRAL).is_file():
        raise MicroauError(f"{folder}: holds no {NEUTRAL}. Give the folder FaceXModel of ICT-FaceKit")
    mesh = _read_mesh(home / NEUTRAL)
    names = sorted(file.stem for file in home.glob("*.obj") if file.name != NEUTRAL)
    shapes = [name for name in names if not name.startswith(IDENTITY)]
    modes = [name for name in names if name.startswith(IDENTITY)]
    if not shapes or not modes:
        raise MicroauError(f"{home}: holds no expression or no identity shapes beside {NEUTRAL}")
    return {
        **mesh,
        "expr_names": np.array(shapes),
        "expr": _offsets(home, shapes, mesh["neutral"]),
        "ident": _offsets(home, modes, mesh["neutral"]),
        "lm68": np.array(LM68, np.int32),
    }


def _offsets(home: Path, names: list[str], neutral: NDArray[Any]) -> NDArray[np.float16]:
    offsets = np.empty((len(names), *neutral.shape), np.float16)
    for row, name in enumerate(names):
        points = _points(home / f"{name}.obj", _lines(home / f"{name}.obj"))
        if points.shape != neutral.shape:
            raise MicroauError(
                f"{home / name}.obj: {len(points)} points, {NEUTRAL} has {len(neutral)}."
                " Take all files from one copy"
            )
        offsets[row] = points - neutral
    return offsets


def _read_mesh(path: Path) -> dict[str, NDArray[Any]]:
    """Points, texture places, and quads (triangles filled up with -1) with the material of each."""
    lines = _lines(path)
    materials: list[str] = []
    corners: list[list[tuple[int, int]]] = []
    of_face: list[int] = []
    for line in lines:
        if line.startswith("usemtl "):
            name = line[7:].strip()
            if name not in materials:
                materials.append(name)
            current = materials.index(name)
        elif line.startswith("f "):
            corners.append([_corner(part) for part in line.split()[1:5]])
            of_face.append(current)
    filled = np.array([row + [(0, 0)] * (4 - len(row)) for row in corners], np.int32) - 1  # (F, 4, 2)
    return {
        "neutral": _points(path, lines),
        "uv": _numbers(path, lines, "vt ", 2),
        "faces": filled[:, :, 0],
        "faces_uv": filled[:, :, 1],
        "face_material": np.array(of_face, np.int8),
        "materials": np.array(materials),
    }


def _corner(text: str) -> tuple[int, int]:
    """'17/23' or '17/23/9' -> point and texture place, from 1."""
    point, place = text.split("/")[:2]
    return int(point), int(place)


def _points(path: Path, lines: list[str]) -> NDArray[np.float32]:
    return _numbers(path, lines, "v ", 3)


def _numbers(path: Path, lines: list[str], head: str, count: int) -> NDArray[np.float32]:
    """(rows, count) of the lines that begin with `head`."""
    rows = [line for line in lines if line.startswith(head)]
    try:
        return np.loadtxt(rows, np.float32, usecols=range(1, count + 1), ndmin=2)
    except ValueError as error:
        raise MicroauError(f"{path}: is no Wavefront file of numbers ({error})") from None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MicroauError(f"{path}: cannot be read ({error})") from None
