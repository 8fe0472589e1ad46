"""How exact is each flow? Faces are warped by a known sub-pixel movement; the error is in pixels.

    python benchmarks/flow.py [--faces 6] [--flows tvl1 dis-fast ...]

One JSON line per flow and condition: end-point error where the face moves and where it keeps still,
and the share of the true displacement that was found (1: none lost). scikit-image's TV-L1 is the
oracle; OpenCV's is measured too where opencv-contrib is installed. Faces: scikit-image's astronaut,
and the photographs of the London set where MICROAU_MEDIA names the folder that holds them.

A pair is rendered from the photograph at a third of a crop pixel, then averaged as a sensor does, so
the movement is exact to about 1e-3 px before noise and rounding to 8 bits.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from microau.engine.flow import FLOWS, optical_flow
from microau.engine.registration import CROP, crop_matrix
from numpy.typing import NDArray
from skimage.data import astronaut
from skimage.registration import optical_flow_tvl1

Plane = NDArray[np.float32]
Method = Callable[[NDArray[np.uint8], NDArray[np.uint8]], Plane]

ASTRONAUT_EYES = ((192.4, 100.4), (259.6, 103.6))
"""Outer eye corners in the picture, read off by eye."""
PLACES = ((86, 48), (138, 48), (82, 148), (142, 148), (112, 182))
"""Brows, mouth corners and chin in the crop, x, y: where the bumps lie."""
FINE = 3
"""Rendering samples per crop pixel and axis."""
AMPLITUDES = (0.2, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Pair:
    """Onset and apex crop and the true displacement of the onset's pixels."""

    onset: NDArray[np.uint8]
    apex: NDArray[np.uint8]
    truth: Plane


@dataclass(frozen=True)
class Condition:
    """One row of the table: how far it moves and what the camera adds."""

    amplitude: float = 1.0
    noise: float = 0.0
    light: float = 0.0
    """Brightness added to the apex picture, as a share."""
    side_light: float = 0.0
    """The same, growing from none at the left border to all at the right."""
    crf: int | None = None
    """H.264 quality of a 13-frame clip from onset to apex, of which the pair is taken."""
    dark: float = 1.0
    """Brightness of both pictures, as a share."""
    motion: str = "bumps"
    """`bumps`, `slip` (the lower lip along the upper: a sharp edge) or `shift` (the whole picture)."""

    @property
    def name(self) -> str:
        shown = {"noise": self.noise, "light": self.light, "side light": self.side_light, "crf": self.crf}
        extras = [f"{key} {value:g}" for key, value in shown.items() if value]
        extras += [f"dark {self.dark:g}"] * (self.dark != 1) + [self.motion] * (self.motion != "bumps")
        return ", ".join([f"{self.amplitude:g} px", *extras])


CONDITIONS = (
    *(Condition(a) for a in AMPLITUDES),
    *(Condition(a, noise=n) for n in (1.0, 2.0, 4.0) for a in (0.5, 1.0, 2.0)),
    *(Condition(a, crf=c) for c in (23, 30) for a in (0.5, 1.0, 2.0)),
    *(Condition(a, light=0.03) for a in (0.5, 1.0, 2.0)),
    *(Condition(a, side_light=0.03) for a in (0.5, 1.0, 2.0)),
    *(Condition(a, noise=2.0, light=0.03) for a in (0.5, 1.0, 2.0)),
    *(Condition(a, noise=1.0, dark=0.3) for a in (0.5, 1.0, 2.0)),
    *(Condition(a, motion="slip") for a in (0.5, 1.0, 2.0)),
    *(Condition(a, motion="shift") for a in (1.0, 4.0, 12.0)),
)


def main() -> None:
    options = arguments()
    faces = load_faces(options.faces)
    for name in options.flows:
        method = known_methods()[name]()
        for condition in CONDITIONS:
            line = measure(method, faces, condition)
            line = {"flow": name, "condition": condition.name, **line, "machine": platform.node()}
            print(json.dumps(line), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=6, help="how many photographs, at most")
    parser.add_argument("--flows", nargs="+", default=list(known_methods()), choices=list(known_methods()))
    return parser.parse_args()


def known_methods() -> dict[str, Callable[[], Method]]:
    ours = {name: lambda name=name: optical_flow(name) for name in FLOWS}
    others: dict[str, Callable[[], Method]] = {"skimage-tvl1": lambda: skimage_tvl1}
    if hasattr(cv2, "optflow"):
        others["opencv-tvl1"] = opencv_tvl1
    return ours | others


def skimage_tvl1(onset: NDArray[np.uint8], apex: NDArray[np.uint8]) -> Plane:
    v, u = optical_flow_tvl1(onset / np.float32(255), apex / np.float32(255))
    return np.stack([u, v], axis=-1)


def opencv_tvl1() -> Method:
    solver = cv2.optflow.DualTVL1OpticalFlow_create()
    return lambda onset, apex: np.asarray(solver.calc(onset, apex, None))


def measure(method: Method, faces: list[tuple[Plane, Plane]], condition: Condition) -> dict[str, float]:
    """Means over the faces."""
    rows = []
    for seed, (picture, eyes) in enumerate(faces):
        pair = render(picture, eyes, condition, np.random.default_rng(seed))
        start = time.perf_counter()
        flow = method(pair.onset, pair.apex)
        rows.append(
            {**errors(flow, pair.truth, condition.amplitude), "ms": 1e3 * (time.perf_counter() - start)}
        )
    return {key: round(float(np.mean([row[key] for row in rows])), 4) for key in rows[0]}


def errors(flow: Plane, truth: Plane, amplitude: float) -> dict[str, float]:
    error = np.linalg.norm(flow - truth, axis=-1)
    size = np.linalg.norm(truth, axis=-1)
    moves, still, core = size > 0.1 * amplitude, size < 0.01 * amplitude, size > 0.5 * amplitude
    found = (flow * truth).sum(axis=-1)[core].sum() / (size[core] ** 2).sum()
    return {
        "moving": error[moves].mean(),
        "still": error[still].mean() if still.any() else 0.0,
        "found": found,
    }


def load_faces(count: int) -> list[tuple[Plane, Plane]]:
    """Gray photographs with their outer eye corners (2, 2)."""
    gray = cv2.cvtColor(astronaut(), cv2.COLOR_RGB2GRAY)
    faces = [(gray.astype(np.float32), np.array(ASTRONAUT_EYES, np.float32))]
    media = Path(os.environ.get("MICROAU_MEDIA", Path(__file__).parents[1] / "../shared/media"))
    for template in sorted((media / "london/neutral_front").glob("*.tem"))[: count - 1]:
        lines = template.read_text().splitlines()
        eyes = np.array([lines[1 + i].split() for i in (18, 27)], np.float32)
        picture = cv2.imread(str(template.with_suffix(".jpg")), cv2.IMREAD_GRAYSCALE)
        faces.append((picture.astype(np.float32), eyes))
    return faces[:count]


def render(picture: Plane, eyes: Plane, condition: Condition, rng: np.random.Generator) -> Pair:
    field = MOTIONS[condition.motion](condition.amplitude, rng)
    matrix = picture_matrix(eyes)
    count = 13 if condition.crf is not None else 2
    clip = [crop(picture, matrix, field, k / (count - 1)) for k in range(count)]
    clip[-1] = clip[-1] * (
        1 + condition.light + condition.side_light * np.linspace(0, 1, CROP, dtype=np.float32)
    )
    noisy = [condition.dark * frame + rng.normal(0, condition.noise or 1e-6, frame.shape) for frame in clip]
    pictures = [np.clip(np.rint(frame), 0, 255).astype(np.uint8) for frame in noisy]
    if condition.crf is not None:
        pictures = list(h264(pictures, condition.crf))
    rows, columns = np.mgrid[:CROP, :CROP].astype(np.float32)
    return Pair(pictures[0], pictures[-1], field(columns, rows))


Field = Callable[[Plane, Plane], Plane]


def random_movement(amplitude: float, rng: np.random.Generator) -> Field:
    """Gaussian bumps 8 to 16 px wide at brows, mouth corners and chin, each its own way."""
    bumps = [(place, rng.uniform(8, 16), rng.uniform(0, 2 * np.pi)) for place in PLACES]

    def field(x: Plane, y: Plane) -> Plane:
        total = np.zeros((*x.shape, 2), np.float32)
        for (cx, cy), width, angle in bumps:
            bump = amplitude * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * width**2))
            total += bump[..., None] * np.array([np.cos(angle), np.sin(angle)], np.float32)
        return total

    return field


def lip_slip(amplitude: float, rng: np.random.Generator) -> Field:
    """All below the mouth line moves sideways, fading 25 px away; the edge is 1 px wide."""

    def field(x: Plane, y: Plane) -> Plane:
        near = np.exp(-((x - 112) ** 2 + (y - 148) ** 2) / (2 * 25**2))
        slip = amplitude * near * (0.5 + 0.5 * np.tanh(y - 148))
        return np.stack([slip, np.zeros_like(slip)], axis=-1).astype(np.float32)

    return field


def whole_shift(amplitude: float, rng: np.random.Generator) -> Field:
    angle = rng.uniform(0, 2 * np.pi)
    shift = amplitude * np.array([np.cos(angle), np.sin(angle)], np.float32)
    return lambda x, y: np.broadcast_to(shift, (*x.shape, 2))


MOTIONS: dict[str, Callable[[float, np.random.Generator], Field]] = {
    "bumps": random_movement,
    "slip": lip_slip,
    "shift": whole_shift,
}


def picture_matrix(eyes: Plane) -> NDArray[np.float64]:
    points = np.zeros((478, 2), np.float32)
    points[33], points[263] = eyes
    return crop_matrix(points)


def crop(picture: Plane, matrix: NDArray[np.float64], field: Field, share: float) -> Plane:
    """The crop after `share` of the movement: each output point looks up where it came from."""
    steps = (np.arange(CROP * FINE, dtype=np.float32) + 0.5) / FINE - 0.5
    x, y = np.meshgrid(steps, steps)
    from_x, from_y = x, y
    for _ in range(12):  # solve from + share * field(from) = here
        moved = share * field(from_x, from_y)
        from_x, from_y = x - moved[..., 0], y - moved[..., 1]
    map_x = matrix[0, 0] * from_x + matrix[0, 1] * from_y + matrix[0, 2]
    map_y = matrix[1, 0] * from_x + matrix[1, 1] * from_y + matrix[1, 2]
    fine = bicubic(picture, map_x, map_y)
    return fine.reshape(CROP, FINE, CROP, FINE).mean(axis=(1, 3))


def bicubic(picture: Plane, x: Plane, y: Plane) -> Plane:
    """Exact positions: cv2.remap rounds them to 1/32 px."""
    from scipy.ndimage import map_coordinates

    return np.asarray(map_coordinates(picture, [y, x], order=3, mode="nearest"), np.float32)


def h264(pictures: list[NDArray[np.uint8]], crf: int) -> Iterator[NDArray[np.uint8]]:
    """The same pictures after x264 at 200 fps, luma alone."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width = encoder.height = CROP
    encoder.pix_fmt, encoder.framerate = "yuv420p", 200
    encoder.options = {"crf": str(crf), "preset": "medium"}
    no_colour = np.full((CROP // 2, CROP), 128, np.uint8)
    frames = [av.VideoFrame.from_ndarray(np.concatenate([p, no_colour]), "yuv420p") for p in pictures]
    packets = [packet for frame in [*frames, None] for packet in encoder.encode(frame)]
    decoder = av.CodecContext.create("h264", "r")
    for packet in [*packets, None]:
        for frame in decoder.decode(packet):
            yield np.frombuffer(frame.planes[0], np.uint8).reshape(CROP, -1)[:, :CROP].copy()


if __name__ == "__main__":
    main()
