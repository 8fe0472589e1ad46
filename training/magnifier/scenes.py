"""Pictures with parts that move by less than a pixel, and the same with the motion made larger.

As Oh et al. do with COCO and PASCAL: soft-edged pieces over a background, each shifted by its own
small amount; the truth is rendered with 1 + alpha times the shift. Colours are changed in two further
pictures, so that texture and shape can be told apart. From a folder of pictures, or, without one,
from drawn textures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.errors import MicroauError
from ..datasets.frames import IMAGES

Pixels = NDArray[np.float32]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class SceneConfig:
    """What the scenes are like."""

    size: int = 96
    """Pixels, width and height; a multiple of four."""
    pieces: int = 5
    """Most pieces over the background."""
    shift: float = 3.0
    """Most pixels that a piece moves between the two pictures."""
    magnified: float = 12.0
    """Most pixels that it moves in the truth: alpha is drawn so that it stays below."""
    alpha: float = 10.0
    """Largest alpha."""
    noise: float = 2.0
    """Gray levels of photon noise at mid gray, in the two inputs alone."""

    def __post_init__(self) -> None:
        if self.size < 32 or self.size % 4:
            raise MicroauError(f"size must be a multiple of four from 32 on, got {self.size}")


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Pictures (3, size, size) float32 in -1..1."""

    a: Pixels
    b: Pixels
    c: Pixels
    """b in other colours."""
    truth: Pixels
    truth_c: Pixels
    """The truth in other colours."""
    alpha: float


def read_pictures(folder: Path, least: int) -> list[Pixels]:
    """Every picture below a folder, (H, W, 3) RGB 0..255, sides of at least `least`."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGES)
    pictures = [_read(path) for path in paths]
    large = [p for p in pictures if p is not None and min(p.shape[:2]) >= least]
    if not large:
        raise MicroauError(f"{folder}: no picture of at least {least} pixels in it")
    return large


def _read(path: Path) -> Pixels | None:
    decoded = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
    return None if decoded is None else np.asarray(decoded, np.float32)


def draw_texture(rng: Rng, size: int) -> Pixels:
    """A picture (size, size, 3) of soft blobs and sharp edges at several scales, 0..255."""
    total = np.zeros((size, size, 3), np.float32)
    for scale in rng.uniform(0.8, size / 8, 3):
        gray, colour = rng.normal(0, 1, (size, size, 1)), rng.normal(0, 0.3, (size, size, 3))
        noise = cv2.GaussianBlur((gray + colour).astype(np.float32), (0, 0), float(scale))
        noise = noise / (noise.std() + 1e-6)
        total += np.where(rng.random() < 0.4, np.tanh(4 * noise), noise) * rng.uniform(15, 45)
    return np.clip(total + rng.uniform(60, 190, 3), 0, 255).astype(np.float32)


def draw_scene(rng: Rng, config: SceneConfig, pictures: Sequence[Pixels] = ()) -> Scene:
    """One scene; the same state of `rng` gives the same scene."""
    layers = [
        _layer(rng, config, pictures, whole=k == 0)
        for k in range(1 + int(rng.integers(1, config.pieces + 1)))
    ]
    fastest = max(float(np.hypot(*shift)) for _, _, shift in layers)
    most = min(config.alpha, config.magnified / max(fastest, 1e-3) - 1)
    alpha = float(rng.uniform(0, max(most, 0)))
    a, b, truth = (_render(layers, factor) for factor in (0.0, 1.0, 1 + alpha))
    gain, lift = rng.uniform(0.7, 1.3, 3), rng.uniform(-20, 20, 3)
    c, truth_c = (np.clip(picture * gain + lift, 0, 255) for picture in (b, truth))
    return Scene(
        _tensor(_noisy(a, rng, config.noise)), _tensor(_noisy(b, rng, config.noise)),
        _tensor(c), _tensor(truth), _tensor(truth_c), alpha,
    )  # fmt: skip


Layer = tuple[Pixels, Pixels, tuple[float, float]]
"""Colours (S, S, 3), opacity (S, S, 1) and shift in pixels."""


def _layer(rng: Rng, config: SceneConfig, pictures: Sequence[Pixels], whole: bool) -> Layer:
    size = config.size
    if pictures:
        colours = _cut(rng, pictures[int(rng.integers(len(pictures)))], size)
    else:
        colours = draw_texture(rng, size)
    reach = config.shift * rng.random() ** 2  # small motions are the point
    angle = rng.uniform(0, 2 * np.pi)
    still = rng.random() < (0.5 if whole else 0.15)
    shift = (0.0, 0.0) if still else (reach * np.cos(angle), reach * np.sin(angle))
    return colours, np.ones((size, size, 1), np.float32) if whole else _blob(rng, size), shift


def _cut(rng: Rng, picture: Pixels, size: int) -> Pixels:
    """A square of a picture, at a random scale that is never enlarged."""
    side = int(rng.integers(size, min(picture.shape[:2]) + 1))
    top, left = (int(rng.integers(n - side + 1)) for n in picture.shape[:2])
    square = picture[top : top + side, left : left + side]
    return np.asarray(cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA), np.float32)


def _blob(rng: Rng, size: int) -> Pixels:
    """Opacity of a piece with an irregular outline."""
    rough = cv2.GaussianBlur(rng.normal(0, 1, (size, size)).astype(np.float32), (0, 0), size / 14)
    rows, columns = np.indices((size, size), dtype=np.float32) / size
    middle = rng.uniform(0.2, 0.8, 2)
    distance = np.hypot(rows - middle[0], columns - middle[1]) / rng.uniform(0.1, 0.35)
    inside = 1 - distance + 0.3 * rough / (rough.std() + 1e-6)
    return np.asarray(np.clip(inside * 6, 0, 1)[..., None], np.float32)


def _render(layers: Sequence[Layer], factor: float) -> Pixels:
    """All layers, each moved by `factor` times its shift."""
    picture: Pixels | None = None
    for colours, opacity, shift in layers:
        cover = _moved(np.concatenate([colours, opacity], axis=2), shift[0] * factor, shift[1] * factor)
        alpha = cover[..., 3:]
        picture = cover[..., :3] if picture is None else picture * (1 - alpha) + cover[..., :3] * alpha
    return np.clip(np.zeros(0) if picture is None else picture, 0, 255)


def _moved(layer: Pixels, x: float, y: float) -> Pixels:
    """Shifted by a fraction of a pixel, exactly (`remap` rounds to 1/32; a Fourier shift does not)."""
    padded = np.pad(layer, ((16, 16), (16, 16), (0, 0)), mode="reflect")
    rows, columns = (
        np.fft.fftfreq(padded.shape[0])[:, None, None],
        np.fft.rfftfreq(padded.shape[1])[:, None],
    )
    spectrum = np.fft.rfft2(padded, axes=(0, 1)) * np.exp(-2j * np.pi * (rows * y + columns * x))
    moved = np.fft.irfft2(spectrum, s=padded.shape[:2], axes=(0, 1))
    return np.asarray(moved[16:-16, 16:-16], np.float32)


def _noisy(picture: Pixels, rng: Rng, level: float) -> Pixels:
    """Photon noise: its variance grows with the brightness."""
    spread = level * np.sqrt(np.maximum(picture, 0) / 127.5)
    return np.asarray(np.clip(picture + spread * rng.normal(0, 1, picture.shape), 0, 255), np.float32)


def _tensor(picture: NDArray[np.floating]) -> Pixels:
    return np.ascontiguousarray(picture.transpose(2, 0, 1) / 127.5 - 1, np.float32)
