"""The one flow that the model is trained on and run on: TV-L1 from onset to apex, without head motion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .flow_spec import RUNTIME as RUNTIME
from .rigid import remove_rigid
from .tvl1 import Tvl1, tvl1


def facial_flow(
    onset: NDArray[np.uint8],
    apex: NDArray[np.uint8],
    points: NDArray[np.float32],
    params: Tvl1 | None = None,
) -> NDArray[np.float32]:
    """Movement of the face itself between two registered crops, (224, 224, 2) in crop pixels.

    onset, apex  (224, 224) uint8 luma, cut with the same matrix
    points       (478, 3) face points at the onset, in crop pixels
    params       of another flow than the runtime's own, for tests
    """
    return remove_rigid(tvl1(onset, apex, params), points)
