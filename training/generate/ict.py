"""ICT-FaceKit, its folder or one file of its arrays: a 3D head with identity modes and FACS-like shapes.

ICT-FaceKit (USC Institute for Creative Technologies, MIT licence; Li et al., "Learning Formation of
Physically-Based Face Attributes", CVPR 2020) is not part of this project: the user gives the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import MicroauError
from .ict_folder import read_folder

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]

SKIN, HEAD, GUMS, TEETH, LEFT_BALL, RIGHT_BALL = "M_Face", "M_BackHead", "M_GumsTongue", "M_Teeth", \
    "M_ScleraLeft", "M_ScleraRight"  # fmt: skip
DRAWN = (SKIN, HEAD, GUMS, TEETH, LEFT_BALL, RIGHT_BALL)
"""Materials that are drawn; tear film, lashes and shadow shells are not."""
SOCKETS = slice(11248, 14062)
"""Vertices of the insides of mouth and eyes, which share the material of the head."""
BALLS = (slice(21451, 22221), slice(23021, 23791))
"""Vertices of the left and the right eyeball."""

NEEDED = ("neutral", "faces", "faces_uv", "uv", "face_material", "materials", "expr_names", "expr", "ident",
          "lm68")  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class IctModel:
    """Letters: N points of the model, V drawn vertices (a point with its texture place), T triangles."""

    neutral: F32
    """(N, 3) about cm, x to the subject's left, y up, z out of the face."""
    shapes: Mapping[str, NDArray[np.float16]]
    """Name -> (N, 3) offsets at full strength."""
    identity: NDArray[np.float16]
    """(M, N, 3) offsets of modes with weights about N(0, 1)."""
    lm68: I32
    """(68,) points of the 68 landmarks."""
    point: I32
    """(V,) point of each drawn vertex."""
    uv: F32
    """(V, 2) texture place, 0..1 within the material's tile, v downwards."""
    material: NDArray[np.int8]
    """(V,) index into DRAWN."""
    triangles: I32
    """(T, 3) of drawn vertices."""


def load_ict(path: Path) -> IctModel:
    """Read the arrays from one .npz, or from the folder as it is published.

    Raises MicroauError where it is missing or something else.
    """
    arrays = read_folder(path) if path.is_dir() else _read_npz(path)
    point, uv, material, triangles = _drawn(arrays)
    names = [str(name) for name in arrays["expr_names"]]
    return IctModel(
        arrays["neutral"].astype(np.float32),
        dict(zip(names, arrays["expr"], strict=True)),
        arrays["ident"],
        arrays["lm68"].astype(np.int32),
        point,
        uv,
        material,
        triangles,
    )


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise MicroauError(f"{path}: no such file. Give ICT-FaceKit's folder, or one .npz of its arrays")
    try:
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in NEEDED}
    except (KeyError, ValueError, OSError) as error:
        raise MicroauError(f"{path}: is not ICT-FaceKit as an .npz of arrays ({error})") from None


def _drawn(arrays: Mapping[str, NDArray[Any]]) -> tuple[I32, F32, NDArray[np.int8], I32]:
    """Drawn vertices and triangles: a point is doubled where two texture places meet."""
    faces = np.asarray(arrays["faces"], np.int64)
    places = np.asarray(arrays["faces_uv"], np.int64)
    names = [str(name) for name in arrays["materials"]]
    of_face = np.array([DRAWN.index(n) if n in DRAWN else -1 for n in names])[
        np.asarray(arrays["face_material"], np.int64)
    ]
    corners, looks, kinds = [], [], []
    for order in ((0, 1, 2), (0, 2, 3)):
        used = (of_face >= 0) & (faces[:, list(order)] >= 0).all(axis=1)
        corners.append(faces[used][:, list(order)])
        looks.append(places[used][:, list(order)])
        kinds.append(np.repeat(of_face[used][:, None], 3, axis=1))
    rows = np.stack([np.concatenate(a).ravel() for a in (corners, looks, kinds)], axis=1)
    vertices, triangles = np.unique(rows, axis=0, return_inverse=True)
    uv = np.mod(np.asarray(arrays["uv"], np.float32)[vertices[:, 1]], 1.0)
    uv[:, 1] = 1 - uv[:, 1]
    return (
        vertices[:, 0].astype(np.int32),
        uv.astype(np.float32),
        vertices[:, 2].astype(np.int8),
        triangles.reshape(-1, 3).astype(np.int32),
    )
