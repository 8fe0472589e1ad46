"""Read MediaPipe's canonical face (geometry pipeline metadata, a protocol buffer) from its npm package.

The wheel leaves this file out; `npm pack @mediapipe/face_mesh` brings it, Apache-2.0 like the models.
"""

from __future__ import annotations

import json
import re
import struct
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import MicroauError

ASSETS = "package/face_mesh_solution_packed_assets.data"
LOADER = "package/face_mesh_solution_packed_assets_loader.js"
METADATA = "geometry_pipeline_metadata_landmarks.binarypb"

# Field numbers of mediapipe/modules/face_geometry/protos.
CANONICAL_MESH, PROCRUSTES_BASIS = 1, 2
VERTICES, TRIANGLES = 3, 4
LANDMARK, WEIGHT = 1, 2


def read_geometry(package: Path) -> dict[str, NDArray[Any]]:
    """The canonical face from the package (.tgz).

    return  `canonical` (468, 3) float32, cm, x to the subject's left, y up, z out of the face;
            `triangles` (n, 3) uint16; `rigid` (k,) uint16 the points that define the head's pose and
            `rigid_weight` (k,) float32
    """
    mesh, rigid = _metadata(_extract(package))
    xyz_uv = np.array(mesh[VERTICES], np.float32).reshape(-1, 5)
    return {
        "canonical": np.ascontiguousarray(xyz_uv[:, :3]),
        "triangles": np.array(mesh[TRIANGLES], np.uint16).reshape(-1, 3),
        "rigid": np.array([landmark for landmark, _ in rigid], np.uint16),
        "rigid_weight": np.array([weight for _, weight in rigid], np.float32),
    }


def _extract(package: Path) -> bytes:
    """The metadata's bytes out of the packed assets, whose places the loader script lists."""
    try:
        with tarfile.open(package) as archive:
            loader = _member(archive, LOADER).decode()
            assets = _member(archive, ASSETS)
    except (OSError, KeyError, tarfile.TarError) as error:
        raise MicroauError(
            f"{package}: no canonical face in it ({error}). Make it with: npm pack @mediapipe/face_mesh"
        ) from None
    for place in re.findall(r'\{"filename": [^}]*\}', loader):
        entry = json.loads(place)
        if entry["filename"].endswith(METADATA):
            return assets[entry["start"] : entry["end"]]
    raise MicroauError(f"{package}: {LOADER} does not list {METADATA}")


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    if stream is None:
        raise KeyError(name)
    return stream.read()


def _metadata(data: bytes) -> tuple[dict[int, list[Any]], list[tuple[int, float]]]:
    mesh: dict[int, list[Any]] = {VERTICES: [], TRIANGLES: []}
    rigid = []
    for number, value in _fields(data):
        if number == CANONICAL_MESH:
            for inner, item in _fields(value):
                mesh.setdefault(inner, []).extend(_numbers(inner, item))
        elif number == PROCRUSTES_BASIS:
            entry = dict(_fields(value))
            rigid.append((entry[LANDMARK], struct.unpack("<f", entry[WEIGHT])[0]))
    return mesh, rigid


def _numbers(number: int, item: Any) -> list[Any]:
    """Values of a repeated field, packed or one at a time."""
    if number == VERTICES:
        return list(struct.unpack(f"<{len(item) // 4}f", item))
    if number == TRIANGLES and isinstance(item, bytes):
        return _varints(item)
    return [item]


def _varints(data: bytes) -> list[int]:
    values, place = [], 0
    while place < len(data):
        value, place = _varint(data, place)
        values.append(value)
    return values


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Fields of one message: number, and an int (varint) or the raw bytes."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, place = _varint(data, place)
            yield number, value
            continue
        length = 4
        if wire == 2:
            length, place = _varint(data, place)
        elif wire != 5:
            raise MicroauError(f"wire type {wire} is not one of the canonical face's")
        yield number, data[place : place + length]
        place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
