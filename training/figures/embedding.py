"""Figure 7: the features of one unit in the plane, by t-SNE (van der Maaten and Hinton 2008)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import MicroauError
from .canvas import STATES, Sheet

PERPLEXITY = 30.0
FEWEST = 5


def embed(features: NDArray[np.floating], seed: int = 1) -> NDArray[np.float32]:
    """Features (S, D) as points of the plane (S, 2): distances by cosine, as the losses have them.

    Raises MicroauError for fewer than five samples. With few samples the perplexity is a third of them.
    """
    from sklearn.manifold import TSNE

    rows = np.asarray(features, np.float64)
    if len(rows) < FEWEST:
        raise MicroauError(f"t-SNE needs {FEWEST} samples at least, got {len(rows)}")
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    method = TSNE(perplexity=min(PERPLEXITY, len(rows) / 3), init="pca", random_state=seed)
    return np.asarray(method.fit_transform(rows), np.float32)


def embedding_figure(
    path: Path, models: Mapping[str, NDArray[np.floating]], labels: Sequence[int], title: str = ""
) -> None:
    """Write one scatter per model.

    models  name -> (S, 2), see `embed`
    labels  S times 0 or 1: the unit's state
    """
    sheet, states = Sheet(len(models)), np.asarray(labels)
    for axes, (name, points) in zip(sheet.panels, models.items(), strict=True):
        for state, word, colour, marker in STATES:
            own = points[states == state]
            axes.scatter(own[:, 0], own[:, 1], s=12, c=colour, marker=marker, alpha=0.8, label=word)
        axes.set_title(name, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
    sheet.panels[0].legend(fontsize=7, loc="best")
    sheet.write(path, title)
