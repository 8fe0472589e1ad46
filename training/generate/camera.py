"""What a camera and a recorder do to a face: when they look, what they add, what they lose.

The truth stays in seconds of presentation time; frames follow from the exposures that were kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from . import raster

F32 = NDArray[np.float32]
Rgb = NDArray[np.uint8]
Rng = np.random.Generator

TIME_BASE = Fraction(1, 90_000)
"""Of the video files: MPEG's clock, in which 25 to 240 frames/s are whole numbers or nearly so."""

DEFECTS = (
    "noise",
    "exposure",
    "flicker",
    "blur",
    "compression",
    "dropped",
    "duplicated",
    "vfr",
    "small_face",
)
"""What can be wrong with a recording."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame of the file."""

    time: float
    """Presentation time in seconds: when it was exposed, or would have been if it is a repetition."""
    content: float
    """When the picture that it shows was exposed; earlier than `time` for a repeated frame."""


@dataclass(frozen=True, slots=True)
class Camera:
    """How a clip is recorded."""

    fps: float = 200.0
    """Nominal frames per second."""
    size: tuple[int, int] = (640, 480)
    """Width, height in pixels."""
    oed: float = 120.0
    """Eye distance in pixels."""
    noise: float = 1.0
    """Standard deviation of the sensor's noise in gray levels at mid-gray."""
    drift: tuple[float, float, float] = (0.0, 0.3, 0.0)
    """Exposure drift: depth (ratio), Hz, phase."""
    flicker: tuple[float, float, float] = (0.0, 100.0, 0.0)
    """Lamps on alternating current: depth (ratio), Hz (twice the mains), phase."""
    blur: float = 0.0
    """Focus blur, standard deviation in pixels."""
    crf: int = 18
    """Constant rate factor of H.264: 18 is hard to tell from the original, 35 is a poor stream."""
    dropped: float = 0.0
    """Share of frames lost, mostly in short runs."""
    duplicated: float = 0.0
    """Share of frames that repeat the one before."""
    jitter: float = 0.0
    """Variable rate: standard deviation of the frame interval as a share of it."""
    exposure: float = 0.5
    """Share of the frame interval for which the shutter is open; flicker is averaged over it."""

    def gain(self, time: float) -> float:
        """Brightness factor at a time in seconds.

        >>> Camera(flicker=(0.1, 100.0, 0.0), exposure=0.0).gain(0.0025)
        1.1
        """
        depth, hertz, phase = self.drift
        slow = 1 + depth * math.sin(math.tau * hertz * time + phase)
        depth, hertz, phase = self.flicker
        averaged = float(np.sinc(hertz * self.exposure / self.fps))
        return slow * (1 + depth * averaged * math.sin(math.tau * hertz * time + phase))

    def shots(self, duration: float, rng: Rng) -> list[Shot]:
        """Every frame of a clip that long, in order; the first at time 0."""
        n = max(math.floor(duration * self.fps), 1)
        steps = np.maximum(1 + self.jitter * rng.standard_normal(n), 0.35) / self.fps
        times = np.concatenate([[0.0], np.cumsum(steps)[:-1]])
        times = times[times < duration]
        lost, repeated = _runs(rng, len(times), self.dropped), _runs(rng, len(times), self.duplicated)
        shots, shown = [], 0.0
        for time, gone, again in zip(times.tolist(), lost, repeated, strict=True):
            if gone and time > 0:
                continue
            shown = shown if again else time
            shots.append(Shot(time, shown))
        return shots

    def expose(self, picture: F32, time: float, rng: Rng) -> Rgb:
        """The frame (H, W, C) uint8 that this camera makes of a picture 0..255."""
        light = np.ascontiguousarray(picture, np.float32)
        if self.blur:
            light = np.asarray(cv2.GaussianBlur(light, (0, 0), self.blur), np.float32).reshape(light.shape)
        pixels = np.empty(light.shape, np.uint8)
        noise = rng.standard_normal(light.shape[:2], np.float32)
        raster.grain(light, noise, self.gain(time), self.noise, pixels)
        return pixels

    def defects(self) -> list[str]:
        """Names of DEFECTS that an analysis may notice."""
        present = {
            "noise": self.noise > 2,
            "exposure": self.drift[0] > 0,
            "flicker": self.flicker[0] > 0,
            "blur": self.blur > 0,
            "compression": self.crf >= 25,
            "dropped": self.dropped > 0,
            "duplicated": self.duplicated > 0,
            "vfr": self.jitter > 0,
            "small_face": self.oed < 60,
        }
        return [name for name in DEFECTS if present[name]]

    @classmethod
    def random(
        cls, rng: Rng, fps: float, size: tuple[int, int], defects: Iterable[str] = DEFECTS
    ) -> Camera:
        """A recording at random; each of the defects named may be in it."""

        def has(name: str, probability: float) -> bool:
            return bool(rng.random() < probability) and name in allowed

        allowed = set(defects)
        low, high = (0.17, 0.27)  # eye distance as a share of the picture's height
        oed = size[1] * float(rng.uniform(low, high))
        return cls(
            fps=fps,
            size=size,
            oed=float(rng.uniform(38, 60)) if has("small_face", 0.08) else oed,
            noise=float(rng.uniform(2, 5)) if has("noise", 0.3) else float(rng.uniform(0.3, 1.8)),
            drift=(
                float(rng.uniform(0.01, 0.06)) * has("exposure", 0.3),
                float(rng.uniform(0.1, 0.6)),
                0.3,
            ),
            flicker=(
                float(rng.uniform(0.01, 0.05)) * has("flicker", 0.25),
                float(rng.choice([99.9, 100.0, 100.1, 119.88, 120.0])),
                float(rng.uniform(0, math.tau)),
            ),
            blur=float(rng.uniform(0.5, 1.5)) if has("blur", 0.2) else 0.0,
            crf=int(rng.integers(25, 35)) if has("compression", 0.3) else int(rng.integers(10, 21)),
            dropped=float(rng.uniform(0.002, 0.03)) if has("dropped", 0.15) else 0.0,
            duplicated=float(rng.uniform(0.002, 0.03)) if has("duplicated", 0.15) else 0.0,
            jitter=float(rng.uniform(0.05, 0.25)) if has("vfr", 0.15) else 0.0,
        )


def _runs(rng: Rng, n: int, share: float) -> NDArray[np.bool_]:
    """(n,) True for about that share, in runs of one to three."""
    marked = np.zeros(n, bool)
    for start in np.flatnonzero(rng.random(n) < share / 1.7).tolist():
        marked[start : start + int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))] = True
    return marked


def write_video(
    path: Path, frames: Iterable[tuple[float, Rgb]], size: tuple[int, int], fps: float, crf: int
) -> None:
    """H.264 in MP4; each frame (H, W, 1 or 3) with its presentation time in seconds.

    The same frames give the same bytes: one thread, no date.
    """
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as file:
        stream = file.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = TIME_BASE
        stream.codec_context.thread_count = 1
        # x264's macroblock tree reads what it has not written: with it, two runs differ by some bytes.
        stream.options = {"crf": str(crf), "preset": "fast", "x264-params": "mbtree=0"}
        for time, pixels in frames:
            rgb = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = round(time / TIME_BASE), TIME_BASE
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def recoded(frames: Sequence[NDArray[np.uint8]], crf: int) -> list[NDArray[np.uint8]]:
    """Gray frames (H, W), even sizes, through H.264 and back: an intra picture, then predicted ones."""
    height, width = frames[0].shape
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "gray"
    encoder.time_base, encoder.thread_count = Fraction(1, 200), 1
    speed = {"preset": "veryfast", "tune": "zerolatency", "x264-params": "mbtree=0:scenecut=0"}
    encoder.options = {"crf": str(crf), **speed}
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    packets = []
    for number, pixels in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="gray")
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    decoded = [frame for packet in packets for frame in decoder.decode(packet)] + decoder.decode(None)
    return [_luma(frame) for frame in decoded]


def _luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width].copy()


def write_images(folder: Path, frames: Iterable[tuple[float, Rgb]]) -> None:
    """`img1.jpg`, `img2.jpg`, ... as in CASME II."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (_, pixels) in enumerate(frames, start=1):
        bgr = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3))[:, :, ::-1])
        cv2.imwrite(str(folder / f"img{number}.jpg"), bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])


def nearest(shots: Sequence[Shot], time: float) -> int:
    """Number of the frame whose presentation time is nearest."""
    return min(range(len(shots)), key=lambda k: abs(shots[k].time - time))
