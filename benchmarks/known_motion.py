"""Pairs of face pictures whose movement is known at every pixel, for `flow.py` and the docs' picture.

A pair is rendered from a photograph at a third of a crop pixel and then averaged, as a sensor does, so
the movement is exact to about 1e-3 px before noise, compression and rounding to 8 bits. Faces:
scikit-image's astronaut, and the London set's photographs where MICROAU_MEDIA names their folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from skimage.data import astronaut

from microau.engine.registration import CROP, crop_matrix

Array = NDArray[np.floating]
Bytes = NDArray[np.uint8]
Field = Callable[[Array, Array], Array]
"""Displacement (..., 2) of crop points x, y (...)."""

ASTRONAUT_EYES = ((192.4, 100.4), (259.6, 103.6))
"""Outer eye corners in the picture, read off by eye."""
PLACES = ((86, 48), (138, 48), (82, 148), (142, 148), (112, 182))
"""Brows, mouth corners and chin in the crop, x, y: where the bumps lie."""
MOUTH = (112, 148)
FINE = 3
"""Rendering samples per crop pixel and axis."""
CLIP = 13
"""Pictures from onset to apex where they are compressed."""


@dataclass(frozen=True)
class Face:
    """A gray photograph and its outer eye corners (2, 2), x, y in its pixels."""

    picture: Array
    eyes: Array


@dataclass(frozen=True)
class Pair:
    """Onset and apex crop, and the true displacement (H, W, 2) of the onset's pixels."""

    onset: Bytes
    apex: Bytes
    truth: Array


@dataclass(frozen=True)
class Condition:
    """How far what moves, and what lamp and camera add to it."""

    amplitude: float = 1.0
    """Pixels at the peak."""
    motion: str = "bumps"
    """A name of MOTIONS."""
    noise: float = 0.0
    """Standard deviation of the sensor's noise in grey levels."""
    light: float = 0.0
    """Brightness added to the apex picture, as a share."""
    side_light: float = 0.0
    """The same, growing from none at the left border to all at the right."""
    dark: float = 1.0
    """Brightness of both pictures, as a share."""
    crf: int | None = None
    """H.264 quality of a short clip from onset to apex, of which the pair is taken."""

    @property
    def name(self) -> str:
        """Amplitude first, then whatever is not as usual."""
        named: dict[str, float | None] = {
            "noise": self.noise, "light": self.light, "side light": self.side_light, "crf": self.crf,
        }  # fmt: skip
        extras = [f"{key} {value:g}" for key, value in named.items() if value]
        extras += [f"dark {self.dark:g}"] * (self.dark != 1) + [self.motion] * (self.motion != "bumps")
        return ", ".join([f"{self.amplitude:g} px", *extras])


def load_faces(count: int) -> list[Face]:
    """The astronaut and up to count - 1 photographs."""
    gray = cv2.cvtColor(astronaut(), cv2.COLOR_RGB2GRAY)
    faces = [Face(gray.astype(np.float32), np.array(ASTRONAUT_EYES))]
    media = Path(os.environ.get("MICROAU_MEDIA", Path(__file__).parents[2] / "shared/media"))
    for template in sorted((media / "london/neutral_front").glob("*.tem"))[: count - 1]:
        lines = template.read_text().splitlines()
        eyes = np.array([lines[1 + corner].split() for corner in (18, 27)], np.float64)
        picture = cv2.imread(str(template.with_suffix(".jpg")), cv2.IMREAD_GRAYSCALE)
        faces.append(Face(np.asarray(picture, np.float32), eyes))
    return faces[:count]


def render(face: Face, condition: Condition, rng: np.random.Generator) -> Pair:
    """Move the face, then light, photograph and compress it."""
    field = MOTIONS[condition.motion](condition.amplitude, rng)
    count = 2 if condition.crf is None else CLIP
    clip = [moved_crop(face, field, k / (count - 1)) for k in range(count)]
    clip[-1] = clip[-1] * (1 + condition.light + condition.side_light * np.linspace(0, 1, CROP))
    noisy = [condition.dark * frame + condition.noise * rng.normal(size=frame.shape) for frame in clip]
    pictures = [np.clip(np.rint(frame), 0, 255).astype(np.uint8) for frame in noisy]
    if condition.crf is not None:
        pictures = list(h264(pictures, condition.crf))
    y, x = np.mgrid[:CROP, :CROP].astype(np.float32)
    return Pair(pictures[0], pictures[-1], field(x, y))


def bumps(amplitude: float, rng: np.random.Generator) -> Field:
    """Gaussian bumps 8 to 16 px wide at brows, mouth corners and chin, each its own way."""
    drawn = [(place, rng.uniform(8, 16), rng.uniform(0, 2 * np.pi)) for place in PLACES]

    def field(x: Array, y: Array) -> Array:
        total = np.zeros((*x.shape, 2), np.float32)
        for (cx, cy), width, angle in drawn:
            bump = amplitude * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * width**2))
            total += bump[..., None] * np.array([np.cos(angle), np.sin(angle)], np.float32)
        return total

    return field


def slip(amplitude: float, rng: np.random.Generator) -> Field:
    """The lower lip along the upper, fading 25 px away: an edge in the movement, 1 px wide."""

    def field(x: Array, y: Array) -> Array:
        near = np.exp(-((x - MOUTH[0]) ** 2 + (y - MOUTH[1]) ** 2) / (2 * 25**2))
        along = amplitude * near * (0.5 + 0.5 * np.tanh(y - MOUTH[1]))
        return np.stack([along, np.zeros_like(along)], axis=-1)

    return field


def shift(amplitude: float, rng: np.random.Generator) -> Field:
    """The whole picture, some way."""
    angle = rng.uniform(0, 2 * np.pi)
    step = amplitude * np.array([np.cos(angle), np.sin(angle)], np.float32)
    return lambda x, y: np.broadcast_to(step, (*x.shape, 2))


MOTIONS: dict[str, Callable[[float, np.random.Generator], Field]] = {
    "bumps": bumps, "slip": slip, "shift": shift,
}  # fmt: skip


def moved_crop(face: Face, field: Field, share: float) -> Array:
    """The crop (H, W) after `share` of the movement: each point looks up where it came from."""
    steps = (np.arange(CROP * FINE, dtype=np.float32) + 0.5) / FINE - 0.5
    x, y = np.meshgrid(steps, steps)
    from_x, from_y = x, y
    for _ in range(12):  # solves: from + share * field(from) = here
        back = share * field(from_x, from_y)
        from_x, from_y = x - back[..., 0], y - back[..., 1]
    points = np.zeros((478, 2), np.float32)
    points[[33, 263]] = face.eyes
    matrix = crop_matrix(points)
    there = [row[0] * from_x + row[1] * from_y + row[2] for row in matrix[::-1]]
    # Not cv2.remap: it rounds positions to 1/32 px.
    fine = map_coordinates(face.picture, there, order=3, mode="nearest", output=np.float32)
    return np.asarray(fine.reshape(CROP, FINE, CROP, FINE).mean(axis=(1, 3)))


def h264(pictures: list[Bytes], crf: int) -> Iterator[Bytes]:
    """The same pictures after x264 at 200 fps, luma alone."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width = encoder.height = CROP
    encoder.pix_fmt, encoder.framerate = "yuv420p", 200
    encoder.options = {"crf": str(crf), "preset": "medium"}
    no_colour = np.full((CROP // 2, CROP), 128, np.uint8)
    frames = [av.VideoFrame.from_ndarray(np.concatenate([p, no_colour]), "yuv420p") for p in pictures]
    decoder = av.CodecContext.create("h264", "r")
    packets = [packet for frame in [*frames, None] for packet in encoder.encode(frame)]
    for packet in [*packets, None]:
        for frame in decoder.decode(packet):
            yield np.frombuffer(frame.planes[0], np.uint8).reshape(CROP, -1)[:, :CROP].copy()
