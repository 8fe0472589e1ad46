"""Does memory stay flat? Resident megabytes after each minute of a long recording. One JSON line.

    python benchmarks/memory.py [--minutes 10]

A minute of video is 12000 frames of 640x480 at 200 fps; rows and events are counted and let go.
"""

import argparse
import json
import platform
import tempfile
from pathlib import Path

from looped import looped

import microau

PAGE_MB = 4096 / 2**20


def resident() -> float:
    """Megabytes of this process in memory now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_MB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=10)
    options = parser.parse_args()
    minutes: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        clip = looped(Path(folder) / "clip.mp4", 60.0 * options.minutes)
        with microau.Stream(clip) as stream:
            for item in stream.items():
                frame = getattr(item, "frame", None)
                if frame and frame % 12000 == 0:
                    minutes.append(round(resident()))
    print(json.dumps({"benchmark": "memory", "rss_mb_by_minute": minutes, "machine": platform.machine()}))


if __name__ == "__main__":
    main()
