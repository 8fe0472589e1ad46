"""Everything on a GPU in one run: the card's ceilings, TV-L1, the whole event path, gathering, the models.

    python benchmarks/gpu.py [--parts card flow event gathering models] [--seconds 540] [--dry-run]

One JSON line per measurement, printed as it comes: median and p99 in milliseconds by CUDA events, on
inputs that change from call to call. Each part runs in a process of its own with a time limit: what
fails or hangs in one is told in a line and takes nothing from the others. The last line says how many
200 fps faces the card carries.

Needs torch, NumPy, Numba and numba-cuda alone, and no installation. ONNX Runtime and TensorRT are
measured where they are installed. --dry-run goes through the same lines on a machine without a GPU, in
Numba's simulator and at tiny sizes; its times mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Line = dict[str, Any]

LIMITS = {"card": 60, "flow": 180, "event": 180, "gathering": 90, "models": 300}
"""Seconds that a part may take, in the order in which they run."""
CARD_S, SIMULATED_S = 540.0, 3600.0
"""Seconds for everything, on a card and in the simulator."""
EVENTS_S = 1.0
"""Movements of a face in a second that are described: far more than people show (docs/spotting.md)."""
FPS = 200


def main() -> int:
    """Run the parts, each as a process; 1 where one of them failed."""
    args = _arguments()
    if args.child:
        return _child(args.child, args.calls, args.dry_run)
    ends, lines = time.monotonic() + (args.seconds or (SIMULATED_S if args.dry_run else CARD_S)), []
    failed = False
    for part in args.parts:
        left = ends - time.monotonic()
        limit = SIMULATED_S if args.dry_run else LIMITS[part]
        for line in _run(part, min(limit, left), args):
            print(json.dumps(line), flush=True)
            failed |= "error" in line
            lines.append(line)
    print(json.dumps(faces(lines)), flush=True)
    return int(failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=LIMITS, default=list(LIMITS))
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=float, help=f"for everything: {CARD_S} on a card")
    parser.add_argument("--dry-run", action="store_true", help="no GPU: simulator, tiny sizes")
    parser.add_argument("--child", choices=LIMITS, help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(part: str, limit: float, args: argparse.Namespace) -> Iterator[Line]:
    """The lines of a part, and one more where it did not come to its end."""
    if limit <= 1:
        yield {"part": part, "error": "no time left"}
        return
    command = [sys.executable, __file__, "--child", part, "--calls", str(args.calls)]
    command += ["--dry-run"] if args.dry_run else []
    environment = os.environ | ({"NUMBA_ENABLE_CUDASIM": "1"} if args.dry_run else {})
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    timer = threading.Timer(limit, process.kill)
    timer.start()
    try:
        for text in process.stdout or ():
            yield json.loads(text) if text.startswith("{") else {"part": part, "said": text.strip()}
        status = process.wait()
    finally:
        timer.cancel()
        process.kill()
    spent = round(time.monotonic() - began, 1)
    if status < 0 and spent >= limit:
        yield {"part": part, "error": f"stopped after its {limit:.0f} seconds"}
    elif status < 0:
        yield {"part": part, "error": f"killed by signal {-status}"}
    elif status:
        yield {"part": part, "error": f"ended with status {status}"}
    yield {"part": part, "seconds": spent}


def _child(part: str, calls: int, dry: bool) -> int:
    """Measure one part in this process."""
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        import gpu_parts

        for line in gpu_parts.measure(part, calls, dry):
            print(json.dumps(line), flush=True)
    except BaseException as error:
        where = traceback.format_exc().strip().splitlines()[-6:]
        print(
            json.dumps({"part": part, "error": f"{type(error).__name__}: {error}", "where": where}),
            flush=True,
        )
        return 0  # told
    return 0


def faces(lines: list[Line]) -> Line:
    """How many faces at 200 fps one card carries, from the best lines of the parts."""
    per_event = [line["events_s"] for line in lines if "events_s" in line]
    per_pair = [line["pairs_s"] for line in lines if "pairs_s" in line]
    return {
        "what": f"faces at {FPS} fps that one card carries",
        "events_described_s": max(per_event, default=None),
        f"faces_at_{EVENTS_S:g}_event_a_second": int(max(per_event) / EVENTS_S) if per_event else None,
        "faces_with_tvl1_on_every_frame": int(max(per_pair) / FPS) if per_pair else None,
        "note": "every frame is followed on the CPU (45 discs); the card sees what was spotted",
    }


if __name__ == "__main__":
    raise SystemExit(main())
