"""How fast are frames read, and what does a Frame cost beside the decoder's work?

    python benchmarks/capture.py [--seconds 10] [--size 640x480] [--threads]

One JSON line: frames per second of FFmpeg's decoder alone, of a Source (time, duplicates, planes) and
through the capture thread; microseconds per frame of the two steps that every frame passes; and a live
device at 200 frames per second: frames lost, and milliseconds from a frame's arrival to its reader.
`--threads` adds a line for each way of threading the decoder: frames per second, microseconds of CPU per
frame, and how many packets go in before the first picture comes out, which is a live stream's delay.

The clip is made on the spot: H.264, 200 frames per second, a soft texture that sways, with sensor noise.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from microau.stream.capture import Capture
from microau.stream.inputs import open_source
from microau.stream.sources.camera import DeviceStream
from microau.stream.sources.pictures import Converter, same

RATE = 200


def pictures(width: int, height: int, count: int) -> Iterator[NDArray[np.uint8]]:
    """(H * 3 / 2, W) planes of 4:2:0, each different from the one before."""
    random = np.random.default_rng(0)
    coarse = random.integers(16, 236, (height // 8, width // 8 + 10), dtype=np.uint8)
    wide = cv2.resize(coarse, (width + 80, height), interpolation=cv2.INTER_CUBIC)
    chroma = np.full((height // 2, width), 128, np.uint8)
    noise = [random.integers(0, 5, (height, width), dtype=np.uint8) for _ in range(7)]
    for number in range(count):
        left = round(40 + 30 * np.sin(number / 40))
        luma = cv2.add(np.ascontiguousarray(wide[:, left : left + width]), noise[number % 7])
        yield np.vstack([np.asarray(luma, np.uint8), chroma])


def write_clip(path: Path, width: int, height: int, count: int) -> None:
    """The clip as H.264."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "23"}
        for planes in pictures(width, height, count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, "yuv420p")))
        container.mux(stream.encode(None))


def decode(path: Path, threading: str, threads: int) -> dict[str, float]:
    """FFmpeg alone."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type = threading
        stream.codec_context.thread_count = threads
        frames = held = 0
        began, cpu = time.perf_counter(), time.process_time()
        for place, packet in enumerate(container.demux(stream)):
            frames += len(packet.decode())
            held = held or (place + 1) * (frames > 0)
        speed = frames / (time.perf_counter() - began)
        cpu = (time.process_time() - cpu) / frames
    return {"frames_per_s": round(speed), "cpu_us": round(1e6 * cpu), "packets_first": held}


def rate(path: Path, *, threaded: bool) -> int:
    """Frames per second of a Source, alone or through the capture thread."""
    source = open_source(path)
    began, count = time.perf_counter(), 0
    with Capture(source) if threaded else source as frames:
        for _ in frames:
            count += 1
    return round(count / (time.perf_counter() - began))


def steps(path: Path) -> dict[str, float]:
    """Median and 99th percentile of the picture's making and of the comparison with the last, in us."""
    taken: dict[str, list[float]] = {"picture": [], "same": []}
    with av.open(str(path)) as container:
        converter, last = Converter("h264"), None
        for frame in container.decode(video=0):
            began = time.perf_counter()
            picture = converter.picture(frame)
            made = time.perf_counter()
            if last is not None:
                same(picture, last)
                taken["same"].append(time.perf_counter() - made)
                taken["picture"].append(made - began)
            last = picture
    return {
        f"{name}_p{q}_us": round(1e6 * float(np.percentile(spent, q)), 1)
        for name, spent in taken.items()
        for q in (50, 99)
    }


def live(width: int, height: int, seconds: float) -> dict[str, float]:
    """A device at 200 frames per second whose reader keeps up."""
    count = round(RATE * seconds)
    description = (
        f"testsrc2=rate={RATE}:size={width}x{height},trim=end_frame={count},realtime,format=yuv420p"
    )
    device = DeviceStream(av.open(description, format="lavfi"), "synthetic")
    with Capture(device) as capture:
        waits = [1e3 * (time.monotonic() - frame.received) for frame in capture]
    quantiles = {f"live_wait_p{q}_ms": round(float(np.percentile(waits, q)), 3) for q in (50, 99)}
    return {"live_fps": RATE, "live_lost": count - len(waits), **quantiles}


def main(argv: list[str] | None = None) -> int:
    """Run it; one JSON line, or one more for each way of threading."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--threads", action="store_true")
    asked = parser.parse_args(argv)
    width, height = (int(side) for side in asked.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(clip, width, height, round(RATE * asked.seconds))
        decode(clip, "SLICE", 1)  # warms the file cache
        if asked.threads:
            for threading, threads in (("NONE", 1), ("SLICE", 4), ("FRAME", 4), ("AUTO", 4)):
                said: dict[str, Any] = {"threading": threading, "threads": threads, "size": [height, width]}
                print(json.dumps(said | decode(clip, threading, threads)))
        line = {
            "benchmark": "capture",
            "shape": [height, width],
            "frames": round(RATE * asked.seconds),
            "decoder_fps": decode(clip, "SLICE", 1)["frames_per_s"],
            "source_fps": rate(clip, threaded=False),
            "capture_fps": rate(clip, threaded=True),
            **steps(clip),
            **live(width, height, asked.seconds),
            "machine": f"{platform.processor() or platform.machine()}, {platform.system()}",
        }
        print(json.dumps(line))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
