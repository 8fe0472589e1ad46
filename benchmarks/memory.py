"""Does memory stay flat? Resident megabytes of the command along a long recording. One JSON line.

    python benchmarks/memory.py [--minutes 60] [--limit-s 3600]

`microau-stream` itself, with its tables, as a user runs it; the sample over and over, 12000 frames of
640x480 at 200 fps to a minute of video. A million frames are 83 minutes at 200 fps or 9 hours at 30. Every
ten seconds its memory and the frame it has come to are looked at; the growth is that of a straight line
through what lies after the first fifth. After `--limit-s` the command is told to finish.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from looped import looped

EVERY_S = 10.0
PAGE_MB = 4096 / 2**20


def resident(process: int) -> float:
    """Megabytes of a process in memory now (Linux)."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE_MB


def newest_frame(table: Path) -> int:
    """The frame that frames.csv has come to."""
    with table.open("rb") as file:
        file.seek(max(0, table.stat().st_size - 500))
        last = file.read().decode().splitlines()[-1]
    return int(last.split(",")[0]) if last[:1].isdigit() else 0


def watch(running: subprocess.Popen[bytes], table: Path, limit_s: float) -> list[tuple[int, float]]:
    """(frame, megabytes), until the command ends."""
    seen, end = [], time.monotonic() + limit_s
    while running.poll() is None:
        time.sleep(EVERY_S)
        if table.exists() and running.poll() is None:
            seen.append((newest_frame(table), resident(running.pid)))
        if time.monotonic() > end:
            running.terminate()
            running.wait()
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--limit-s", type=float, default=3600.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = looped(Path(folder) / "clip.mp4", 60.0 * options.minutes)
        out = Path(folder) / "out"
        entry = "import sys; from microau.stream.cli import main; sys.exit(main())"
        command = [sys.executable, "-c", entry, str(clip), "--quiet", "--out", str(out)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
            seen = watch(running, out / "frames.csv", options.limit_s)
        made = json.loads((out / "run.json").read_text())
    frames, mb = (np.array(column, float) for column in zip(*seen, strict=True))
    steady = frames > 0.2 * frames[-1]
    slope = np.polyfit(frames[steady], mb[steady], 1)[0]
    line = {
        "benchmark": "memory",
        "frames": made["counts"]["frames"],
        "events": made["counts"]["events"],
        "rss_mb_by_tenth": [
            round(float(m)) for m in np.interp(np.linspace(0.1, 1, 10) * frames[-1], frames, mb)
        ],
        "rss_mb_max": round(float(mb.max())),
        "growth_mb_per_million_frames": round(1e6 * float(slope), 2),
        "machine": platform.machine(),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
