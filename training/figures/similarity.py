"""Figure 6: how alike a unit's visual features are between samples with and without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .canvas import Sheet


def similarity_matrix(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cosine of every two rows, (S, S).

    features  (S, D) F_n of one unit

    >>> similarity_matrix(np.array([[1.0, 0.0], [0.0, 2.0]])).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    rows = np.asarray(features, np.float64)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return np.asarray(rows @ rows.T)


def similarity_figure(
    path: Path, models: Mapping[str, NDArray[np.floating]], labels: Sequence[int], title: str = ""
) -> None:
    """Write one matrix per model, in one scale of colours from -1 to 1.

    models  name -> (S, S), see `similarity_matrix`
    labels  S times 0 or 1: the unit's state, written beside rows and columns
    """
    sheet = Sheet(len(models))
    for axes, (name, matrix) in zip(sheet.panels, models.items(), strict=True):
        shown = axes.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
        axes.set_title(name, fontsize=9)
        axes.set_xticks(range(len(labels)), labels, fontsize=7)
        axes.set_yticks(range(len(labels)), labels, fontsize=7)
        if len(labels) <= 8:
            _write_numbers(axes, matrix)
    bar = sheet.figure.colorbar(shown, ax=sheet.panels, shrink=0.8)
    bar.ax.tick_params(labelsize=7)
    bar.set_label("cosine", size=8)
    sheet.write(path, title)


def _write_numbers(axes: object, matrix: NDArray[np.floating]) -> None:
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            colour = "white" if abs(value) > 0.6 else "black"
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)  # type: ignore[attr-defined]
