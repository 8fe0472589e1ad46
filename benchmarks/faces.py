"""What does finding and following a face cost? On one thread, in milliseconds.

    python benchmarks/faces.py [--frames 1000] [--size 640x480]

One JSON line: the detector, mesh and iris models with their crops, and the whole tracker per frame of a
200 fps stream: with points in every frame, and as it is set by default. `ms` is the median of the wall
clock, `p99_ms` its 99th percentile, `cpu_ms` the mean processor time, which a busy machine changes less.
The picture sways and trembles, so that no two frames are alike.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import cv2
import numpy as np
from skimage.data import astronaut

from microau.engine.face_models import mesh_region
from microau.engine.face_models.onnx import OnnxFaceModels
from microau.engine.faces import FaceConfig, FaceTracker, find_faces
from microau.engine.records import Frame, Picture

RATE = 200
WARM_UP = 50


def stream(width: int, height: int, count: int) -> Iterator[Frame]:
    """The astronaut, swaying, with sensor noise."""
    photograph, random = astronaut(), np.random.default_rng(0)
    scale = 0.9 * height / len(photograph)
    noise = random.normal(0, 2, (8, height, width)).astype(np.float32)
    for index in range(count):
        angle = index / 40
        place = np.array([[scale, 0, 40 + 12 * np.sin(angle)], [0, scale, 20 + 5 * np.cos(angle)]])
        picture = Picture.from_rgb(cv2.warpAffine(photograph, place, (width, height), flags=cv2.INTER_AREA))
        luma = np.clip(picture.luma + noise[index % 8], 0, 255).astype(np.uint8)
        yield Frame(index, index, Fraction(1, RATE), index / RATE, Picture(luma, picture.chroma, True))


def timed(call: Callable[[Frame], object], frames: list[Frame]) -> dict[str, float]:
    """Median and 99th percentile of the wall clock, mean of the processor time, in ms per call."""
    for frame in frames[:WARM_UP]:
        call(frame)
    wall = []
    processor = time.thread_time()
    for frame in frames[WARM_UP:]:
        start = time.perf_counter()
        call(frame)
        wall.append(1000 * (time.perf_counter() - start))
    processor = 1000 * (time.thread_time() - processor) / len(wall)
    return {
        "ms": round(float(np.median(wall)), 3),
        "p99_ms": round(float(np.percentile(wall, 99)), 3),
        "cpu_ms": round(processor, 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--size", default="640x480")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    width, height = map(int, options.size.split("x"))
    frames = list(stream(width, height, options.frames + WARM_UP))
    models = OnnxFaceModels()
    points = find_faces(frames[0].picture, models=models)[0].points
    region = mesh_region(points)
    every, default = (
        FaceTracker(config, models) for config in (FaceConfig(landmark_rate=0, iris_rate=0), FaceConfig())
    )
    print(
        json.dumps(
            {
                "detector": timed(lambda frame: models.detect(frame.picture), frames),
                "mesh": timed(lambda frame: models.mesh(frame.picture, region), frames),
                "iris": timed(lambda frame: models.iris(frame.picture, points, True), frames),
                "tracker_every_frame": timed(every.push, frames),
                "tracker_default": timed(default.push, frames),
                "size": options.size,
                "frames": options.frames,
                "machine": platform.machine() + " " + platform.processor(),
            }
        )
    )


if __name__ == "__main__":
    main()
