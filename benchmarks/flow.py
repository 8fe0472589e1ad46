"""How exact is each flow? Faces are moved by a known sub-pixel movement; the error is in pixels.

    python benchmarks/flow.py [--faces 6] [--flows tvl1 dis-medium ...] [--table]

One JSON line per flow and condition (`known_motion.py`): mean end-point error where the face moves and
where it keeps still, the share of the true displacement that was found (1: nothing lost), and this
thread's own milliseconds. scikit-image's TV-L1 is the oracle; OpenCV's is measured too where
opencv-contrib is installed. --table prints the errors as a Markdown table at the end.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from known_motion import Array, Bytes, Condition, Face, Pair, load_faces, render
from skimage.registration import optical_flow_tvl1

from microau.engine.flow import FLOWS, optical_flow

Method = Callable[[Bytes, Bytes], Array]

USUAL = (0.5, 1.0, 2.0)
CONDITIONS = (
    *(Condition(a) for a in (0.2, 0.5, 1.0, 2.0, 4.0)),
    *(Condition(a, noise=n) for n in (1.0, 2.0, 4.0) for a in USUAL),
    *(Condition(a, crf=c) for c in (23, 30) for a in USUAL),
    *(Condition(a, light=0.03) for a in USUAL),
    *(Condition(a, side_light=0.03) for a in USUAL),
    *(Condition(a, noise=2.0, light=0.03) for a in USUAL),
    *(Condition(a, noise=1.0, dark=0.3) for a in USUAL),
    *(Condition(a, "slip") for a in USUAL),
    *(Condition(a, "shift") for a in (1.0, 4.0, 12.0)),
)


def main() -> None:
    """Parse, measure, print."""
    methods = known_methods()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--faces", type=int, default=6, help="how many photographs, at most")
    parser.add_argument("--flows", nargs="+", default=list(methods), choices=list(methods))
    parser.add_argument("--table", action="store_true", help="a Markdown table at the end")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    chosen = {name: methods[name]() for name in args.flows}
    faces = load_faces(args.faces)
    rows = [measure_all(chosen, faces, condition) for condition in CONDITIONS]
    if args.table:
        print_table(list(chosen), rows)


def known_methods() -> dict[str, Callable[[], Method]]:
    """Name -> maker, ours first."""
    methods: dict[str, Callable[[], Method]] = {name: partial(optical_flow, name) for name in FLOWS}
    methods["skimage-tvl1"] = lambda: skimage_tvl1
    if hasattr(cv2, "optflow"):
        methods["opencv-tvl1"] = opencv_tvl1
    return methods


def skimage_tvl1(onset: Bytes, apex: Bytes) -> Array:
    """scikit-image's, default settings, brightness 0..1 as it expects."""
    v, u = optical_flow_tvl1(onset / np.float32(255), apex / np.float32(255))
    return np.stack([u, v], axis=-1)


def opencv_tvl1() -> Method:
    """opencv-contrib's, default settings."""
    solver = cv2.optflow.DualTVL1OpticalFlow_create()  # type: ignore[attr-defined]
    return lambda onset, apex: np.asarray(solver.calc(onset, apex, None))


def measure_all(
    methods: dict[str, Method], faces: list[Face], condition: Condition
) -> tuple[Condition, dict[str, dict[str, float]]]:
    """All flows on the same pairs; one line is printed for each."""
    pairs = [render(face, condition, np.random.default_rng(seed)) for seed, face in enumerate(faces)]
    found = {name: measure(method, pairs, condition.amplitude) for name, method in methods.items()}
    for name, line in found.items():
        about = {"flow": name, "condition": condition.name, "faces": len(faces)}
        print(json.dumps(about | line | {"machine": platform.machine()}), flush=True)
    return condition, found


def measure(method: Method, pairs: list[Pair], amplitude: float) -> dict[str, float]:
    """Means over the pairs."""
    rows = []
    for pair in pairs:
        start = time.thread_time()
        flow = method(pair.onset, pair.apex)
        spent = 1e3 * (time.thread_time() - start)
        rows.append({**errors(flow, pair.truth, amplitude), "cpu_ms": spent})
    return {key: round(float(np.mean([row[key] for row in rows])), 4) for key in rows[0]}


def errors(flow: Array, truth: Array, amplitude: float) -> dict[str, float]:
    """End-point errors in pixels, and the share of the displacement that was found."""
    error, size = np.linalg.norm(flow - truth, axis=-1), np.linalg.norm(truth, axis=-1)
    moves, still, core = size > 0.1 * amplitude, size < 0.01 * amplitude, size > 0.5 * amplitude
    return {
        "moving_px": float(error[moves].mean()),
        "still_px": float(error[still].mean()) if still.any() else 0.0,
        "found": float((flow * truth).sum(axis=-1)[core].sum() / (size[core] ** 2).sum()),
    }


def print_table(names: list[str], rows: list[tuple[Condition, dict[str, dict[str, float]]]]) -> None:
    """Error where it moves, and the share found in brackets; the least error of a row in bold."""
    print("\n| condition | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for condition, found in rows:
        least = min(line["moving_px"] for line in found.values())
        cells = []
        for name in names:
            text = f"{found[name]['moving_px']:.3f}"
            text = f"**{text}**" if found[name]["moving_px"] == least else text
            cells.append(f"{text} ({found[name]['found']:.2f})")
        print(f"| {condition.name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
