"""Figure 5: where on the face a unit looks (attention of PTA, Eq 2), as heat over the apex crop.

Letters: L landmarks of the unit that has most, K landmarks of the face, h x w token grid.
A landmark's weight belongs to its token, which is a square of the crop (32 pixels for ViT-B/32): the heat
is no finer than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.tokens import token_indices
from ..layout import Layout
from .canvas import Sheet

Array = NDArray[np.float32]
SPREAD = 0.5
"""Standard deviation of a token's heat, in tokens."""


@dataclass(frozen=True, slots=True, eq=False)
class FacePanel:
    """One face of the figure."""

    crop: NDArray[np.uint8]
    """(H, W) luma."""
    heat: Array
    """(H, W), 0..1, see `attention_map`."""
    points: Array
    """(P, 2) landmarks of the units shown, pixels of the crop."""
    title: str


def attention_map(
    layout: Layout,
    attention: NDArray[np.floating],
    landmarks: NDArray[np.floating],
    units: Sequence[int],
    grid: tuple[int, int],
    size: int,
) -> Array:
    """Heat of some units' attention over the crop, (size, size), its largest value 1.

    attention  (N, L) of one sample, `Prediction.attention`
    landmarks  (K, 2) x, y in pixels of the crop
    units      FACS numbers to be shown together, each with the same share
    grid       h, w of the tokens
    size       pixels, width and height of the crop
    """
    tokens = token_attention(layout, attention, landmarks, units, grid, size)
    y, x = ((np.arange(size) + 0.5) * side / size - 0.5 for side in grid)  # places in tokens
    rows = np.exp(-((y[:, None] - np.arange(grid[0])) ** 2) / (2 * SPREAD**2))  # (size, h)
    columns = np.exp(-((x[:, None] - np.arange(grid[1])) ** 2) / (2 * SPREAD**2))  # (size, w)
    heat = rows @ tokens @ columns.T  # (size, size)
    return np.asarray(heat / max(float(heat.max()), 1e-12), np.float32)


def token_attention(
    layout: Layout,
    attention: NDArray[np.floating],
    landmarks: NDArray[np.floating],
    units: Sequence[int],
    grid: tuple[int, int],
    size: int,
) -> NDArray[np.float64]:
    """What each token has of the attention, (h, w); sums to 1 where the units have landmarks."""
    places = token_indices(np.asarray(landmarks), (size, size), grid)  # (K,)
    share = np.zeros(grid[0] * grid[1])
    for au in units:
        n = layout.aus.index(au)
        own = list(layout.tokens[n])
        np.add.at(share, places[own], np.asarray(attention[n, : len(own)], np.float64) / len(units))
    return share.reshape(grid)


def unit_points(layout: Layout, landmarks: Array, units: Sequence[int]) -> Array:
    """The landmarks of some units, each once, (P, 2)."""
    wanted = sorted({k for au in units for k in layout.tokens[layout.aus.index(au)]})
    return landmarks[wanted]


def attention_figure(path: Path, panels: Sequence[FacePanel], title: str = "") -> None:
    """Write the faces side by side: the heat in colour over the crop, the units' landmarks as dots."""
    sheet = Sheet(len(panels))
    for axes, panel in zip(sheet.panels, panels, strict=True):
        axes.imshow(overlay(panel.crop, panel.heat))
        axes.scatter(
            panel.points[:, 0], panel.points[:, 1], s=9, c="white", edgecolors="black", linewidths=0.6
        )
        axes.set_title(panel.title, fontsize=9)
        axes.set_axis_off()
    sheet.write(path, title)


def overlay(crop: NDArray[np.uint8], heat: Array) -> NDArray[np.uint8]:
    """Grey where no attention is, coloured where it is, (H, W, 3) RGB."""
    colours = cv2.applyColorMap(np.round(heat * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    opacity = 0.75 * heat[..., None]
    grey = np.repeat(crop[..., None], 3, axis=-1)
    return np.asarray(np.round(grey * (1 - opacity) + colours * opacity), np.uint8)
