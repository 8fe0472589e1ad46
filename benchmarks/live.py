"""Live input: MPEG-TS over loopback at the pace of a 200 fps camera. One JSON line.

    python benchmarks/live.py [--seconds 54]

Frames lost by cause, and milliseconds from a frame's arrival to its motion signal.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from looped import looped

import microau
from microau.stream.histogram import Histogram

SENDER = """
import socket, sys, time
import av
clip, server = av.open(sys.argv[1]), socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
peer, _ = server.accept()
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else packets wait 40 ms
out = av.open(peer.makefile("wb", buffering=0), "w", format="mpegts")
stream = out.add_stream_from_template(clip.streams.video[0])
start = time.monotonic()
for packet in clip.demux(video=0):
    if packet.dts is None:
        continue
    time.sleep(max(0.0, float(packet.dts * packet.time_base) - time.monotonic() + start))
    packet.stream = stream
    out.mux(packet)
out.close()
peer.shutdown(socket.SHUT_WR)
"""


def measure(url: str) -> dict[str, object]:
    """Run on the stream; latency apart from the first two seconds, in which the models load."""
    with microau.Stream(url) as stream:
        latency = stream.latency
        start = None
        for number, _ in enumerate(stream.items()):
            if number == 400:
                start = latency.copy()
        steady = latency.since(start or Histogram())
        counts = stream.run["counts"]
    quantiles = {f"p{share:g}": round(steady.quantile(share / 100), 2) for share in (50, 99, 99.9)}
    return {
        "frames": counts["frames"],
        "dropped": counts["dropped"],
        "missing": counts["missing"],
        "latency_ms": quantiles,
        "with_start_p99_ms": round(latency.quantile(0.99), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=54.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = looped(Path(folder) / "clip.mp4", options.seconds)
        command = [sys.executable, "-c", SENDER, str(clip)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
            assert sender.stdout is not None
            found = measure(f"tcp://127.0.0.1:{int(sender.stdout.readline())}")
            sender.kill()
    line = {"benchmark": "live", "shape": [480, 640], "rate": 200} | found
    print(json.dumps(line | {"machine": platform.machine()}))


if __name__ == "__main__":
    main()
