"""How fast are flow and gathering on the CPU? One JSON line per measurement.

    python benchmarks/cpu.py [--calls 100] [--threads 1]

Pictures of 224 x 224 that change from call to call: the astronaut's face, moved and with sensor noise.
`cpu_ms` is the time that the calling thread spent computing: on a machine that does other work too it
says more than the clock. OpenCV's own TV-L1 is measured where opencv-contrib is installed.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.data import astronaut
from skimage.registration import optical_flow_tvl1

from microau.engine.flow import FLOWS, optical_flow
from microau.engine.registration import CROP
from microau.engine.tokens import gather_tokens, landmark_table, unit_tokens
from microau.engine.tvl1 import tvl1_batch, warm_up

Bytes = NDArray[np.uint8]
Array = NDArray[Any]
Call = Callable[[int], object]
INPUTS = 8
"""Different inputs that the calls go through."""
UNITS, LENGTH, TOKENS, WIDTH = 16, 6, 784, 128


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1, help="of OpenCV, and of the batch")
    args = parser.parse_args()
    cv2.setNumThreads(args.threads)
    began = time.perf_counter()
    warm_up()
    report("warm-up", [], np.array([[time.perf_counter() - began] * 2]))
    for what, shape, call in [*flows(), *batches(args.threads), *gathering()]:
        report(what, shape, times(call, args.calls))


def flows() -> Iterator[tuple[str, list[int], Call]]:
    """Every flow on offer, and others' TV-L1."""
    onsets, apexes = pictures()
    known: dict[str, Any] = {name: optical_flow(name) for name in FLOWS}
    known["skimage-tvl1"] = lambda a, b: optical_flow_tvl1(a / np.float32(255), b / np.float32(255))
    if hasattr(cv2, "optflow"):
        solver = cv2.optflow.DualTVL1OpticalFlow_create()
        known["opencv-tvl1"] = lambda a, b: solver.calc(a, b, None)
    for name, method in known.items():
        yield name, [CROP, CROP], partial(on_pair, method, onsets, apexes)


def on_pair(method: Any, onsets: Bytes, apexes: Bytes, number: int) -> object:
    """The flow of one of the pairs."""
    return method(onsets[number % INPUTS], apexes[number % INPUTS])


def batches(threads: int) -> Iterator[tuple[str, list[int], Call]]:
    """TV-L1 of eight pairs at once."""
    onsets, apexes = pictures()
    yield (
        f"tvl1 batch, {threads} threads",
        list(onsets.shape),
        lambda n: tvl1_batch(np.roll(onsets, n, 0), np.roll(apexes, n, 0), threads=threads),
    )


def gathering() -> Iterator[tuple[str, list[int], Call]]:
    """Landmarks to token numbers, and the tokens themselves, for one face and for 64."""
    rng = np.random.default_rng(0)
    table = landmark_table(rng.integers(0, 478, (UNITS, LENGTH)).tolist())
    side = int(TOKENS**0.5)
    for faces in (1, 64):
        points = rng.uniform(0, CROP, (INPUTS, faces, 478, 2)).astype(np.float32)
        tokens = rng.normal(size=(INPUTS, faces, TOKENS, WIDTH)).astype(np.float32)
        indices, mask = unit_tokens(points[0], table, (CROP, CROP), (side, side))
        yield "token numbers", [faces, UNITS, LENGTH], partial(number_tokens, points, table, side)
        yield "gathering", [faces, UNITS, LENGTH, WIDTH], partial(gather, tokens, indices, mask)


def number_tokens(points: Array, table: Any, side: int, number: int) -> object:
    """Token numbers of one of the batches."""
    return unit_tokens(points[number % INPUTS], table, (CROP, CROP), (side, side))


def gather(tokens: Array, indices: Any, mask: Any, number: int) -> object:
    """Tokens of one of the batches."""
    return gather_tokens(tokens[number % INPUTS], indices, mask)


def pictures() -> tuple[Bytes, Bytes]:
    """Onsets and apexes (8, 224, 224) uint8."""
    gray = cv2.cvtColor(astronaut(), cv2.COLOR_RGB2GRAY).astype(np.float32)
    rng = np.random.default_rng(0)

    def crop(shift: Array) -> Bytes:
        matrix = np.array([[0.6, 0, 158], [0, 0.6, 62]]) + np.column_stack([np.zeros((2, 2)), shift])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        picture = cv2.warpAffine(gray, matrix, (CROP, CROP), flags=flags) + rng.normal(0, 1.5, (CROP, CROP))
        return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)

    onsets = np.stack([crop(np.zeros(2)) for _ in range(INPUTS)])
    return onsets, np.stack([crop(rng.normal(0, 0.5, 2)) for _ in range(INPUTS)])


def times(call: Call, calls: int) -> np.ndarray:
    """Seconds by the clock and by this thread's own time, (calls, 2)."""
    spent = np.empty((calls, 2))
    for number in range(-2, calls):
        clock, own = time.perf_counter(), time.thread_time()
        call(number)
        spent[number] = time.perf_counter() - clock, time.thread_time() - own
    return spent


def report(what: str, shape: list[int], spent: np.ndarray) -> None:
    """Print one line."""
    (p50, own), (p99, _) = 1e3 * np.percentile(spent, [50, 99], axis=0)
    line = {"what": what, "shape": shape, "p50_ms": round(p50, 3), "p99_ms": round(p99, 3)}
    line |= {"cpu_ms": round(own, 3), "calls": len(spent)}
    print(json.dumps(line | {"machine": f"{platform.machine()}, {platform.processor() or 'CPU'}"}))


if __name__ == "__main__":
    main()
