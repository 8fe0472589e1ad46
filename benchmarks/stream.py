"""Recorded input, all stages: 640x480 H.264 at 200 fps, one face. One JSON line.

    python benchmarks/stream.py [--seconds 27] [--runs 3]

Frames per second of the whole command as a user runs it (without start-up), milliseconds a frame in
each stage, seconds from start to the first frame, and the peak of memory.
"""

import argparse
import json
import platform
import resource
import statistics
import tempfile
import time
from pathlib import Path

STARTED = time.perf_counter()

from looped import looped  # noqa: E402

import microau  # noqa: E402


def run(clip: Path) -> dict[str, float]:
    """One pass: frames/s, and milliseconds a frame by stage."""
    began = time.perf_counter()
    with microau.Stream(clip) as stream:
        items = stream.items()
        next(items)
        first = time.perf_counter()
        frames = 1 + sum(type(item).__name__ == "FrameRow" for item in items)
        spent = time.perf_counter() - first
        stages = {f"{name}_ms": 1000 * s / frames for name, s in stream.run["timings_s"].items()}
    return {"fps": frames / spent, "first_frame_s": first - began, **stages}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=27.0, help="of video in each run")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = looped(Path(folder) / "clip.mp4", options.seconds)
        imports = time.perf_counter() - STARTED
        run(clip)  # caches warm
        results = [run(clip) for _ in range(options.runs)]
    middle = {name: round(statistics.median(r[name] for r in results), 3) for name in results[0]}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = {
        "benchmark": "stream",
        "shape": [480, 640],
        "rate": 200,
        **middle,
        "import_s": round(imports, 2),
    }
    print(
        json.dumps(
            line
            | {
                "peak_rss_mb": round(peak),
                "runs": options.runs,
                "machine": platform.processor() or platform.machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
