"""The signal of every frame: discs followed from a reference, against DIS flow read at the same places.

    python benchmarks/motion.py [--noise 2.0]

The sample's face, moved by known shifts of up to a micro-expression, with sensor noise. One JSON line a
method: milliseconds a frame (median, p99) and error at the regions (median, 90th percentile) in pixels
of the crop, of which 1.12 are one percent of the eye distance.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable

import cv2
import numpy as np
from looped import SAMPLE

from microau.engine.faces import find_faces
from microau.engine.motion import smooth
from microau.engine.region_tracking import make_reference, track
from microau.engine.regions import centres
from microau.engine.registration import CROP, crop_matrix, to_crop
from microau.stream.capture import Capture
from microau.stream.inputs import open_source

Shifts = np.ndarray


def pairs(
    noise: float, count: int = 60
) -> tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """The reference crop, the regions' centres, and (crop, true shift (2,)) pairs."""
    with Capture(open_source(str(SAMPLE))) as capture:
        picture = next(iter(capture)).picture
    points = find_faces(picture)[0].points
    matrix = crop_matrix(points)
    rng = np.random.default_rng(0)

    def crop(shift: np.ndarray) -> np.ndarray:
        moved = matrix.copy()
        moved[:, 2] -= matrix[:, :2] @ shift
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        image = cv2.warpAffine(picture.luma.astype(np.float32), moved, (CROP, CROP), flags=flags)
        image += noise * rng.standard_normal(image.shape).astype(np.float32)
        return np.clip(np.rint(image), 0, 255).astype(np.uint8)

    shifts = [rng.normal(0, 1.2, 2) for _ in range(count)]
    return crop(np.zeros(2)), centres(to_crop(points, matrix))[:, :2], [(crop(s), s) for s in shifts]


def measure(
    name: str, follow: Callable[[np.ndarray], Shifts], work: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    errors, spent = [], []
    for image, shift in work:
        start = time.perf_counter()
        found = follow(image)
        spent.append(1000 * (time.perf_counter() - start))
        errors.append(np.hypot(*(found - shift).T))
    all_ = np.concatenate(errors[5:])
    print(json.dumps({
        "benchmark": "motion", "method": name, "shape": [CROP, CROP],
        "p50_ms": round(float(np.median(spent[5:])), 3),
        "p99_ms": round(float(np.quantile(spent[5:], 0.99)), 3),
        "error_p50_px": round(float(np.median(all_)), 3),
        "error_p90_px": round(float(np.quantile(all_, 0.9)), 3),
        "machine": platform.processor() or platform.machine(),
    }))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--noise", type=float, default=2.0, help="standard deviation in gray levels")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    still, places, work = pairs(options.noise)
    zero = np.zeros_like(places)
    reference = make_reference(smooth(still), places)
    measure("discs", lambda image: track(reference, smooth(image), zero, zero)[0], work)
    columns, rows = np.rint(places).astype(int).T
    for name, preset in (("dis-ultrafast", 0), ("dis-fast", 1), ("dis-medium", 2)):
        dis = cv2.DISOpticalFlow.create(preset)
        measure(
            name,
            lambda image, dis=dis: cv2.blur(dis.calc(still, image, None), (21, 21))[rows, columns],
            work,
        )


if __name__ == "__main__":
    main()
