"""One event on one core: flow onset -> apex, head motion out, flow image, tokens, model. One JSON line.

    OMP_NUM_THREADS=1 python benchmarks/event.py [--calls 200]

Milliseconds from two crops to units, sides, emotion and explanation; every call has other pictures.
"""

import argparse
import json
import platform
import time

import cv2
import numpy as np
from looped import SAMPLE

from microau.engine.describe import Describer
from microau.engine.faces import find_faces
from microau.engine.registration import CROP, crop_matrix, to_crop
from microau.stream.capture import Capture
from microau.stream.inputs import open_source

SMILE = (200, 224)
"""Onset and apex in the sample clip."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with Capture(open_source(str(SAMPLE))) as capture:
        pictures = [frame.picture for frame in capture if frame.index in SMILE]
    points = find_faces(pictures[0])[0].points
    matrix = crop_matrix(points)
    onset, apex = (picture.warp_luma(matrix, (CROP, CROP)) for picture in pictures)
    rng, spent = np.random.default_rng(0), []
    with Describer(threads=1) as describer:
        for _ in range(options.calls + 5):
            noise = rng.integers(-2, 3, onset.shape)
            noisy = np.clip(onset.astype(int) + noise, 0, 255).astype(np.uint8)
            start = time.perf_counter()
            found = describer.describe(noisy, apex, to_crop(points, matrix))
            spent.append(1000 * (time.perf_counter() - start))
    line = {"benchmark": "event", "shape": [CROP, CROP], "calls": options.calls}
    line |= {f"p{q}_ms": round(float(np.quantile(spent[5:], q / 100)), 2) for q in (50, 99)}
    print(json.dumps(line | {"units": [str(u) for u in found.present], "machine": platform.machine()}))


if __name__ == "__main__":
    main()
