"""The one flow that the model is trained on and run on: TV-L1 from onset to apex, without head motion."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from .flow_image import FlowSpec
from .rigid import remove_rigid
from .tvl1 import Tvl1, tvl1

RUNTIME = FlowSpec(algorithm="tvl1", parameters=asdict(Tvl1()))
"""What this version makes; a bundle with another specification is refused."""


def facial_flow(
    onset: NDArray[np.uint8], apex: NDArray[np.uint8], points: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Movement of the face itself between two registered crops, (224, 224, 2) in crop pixels.

    onset, apex  (224, 224) uint8 luma, cut with the same matrix
    points       (478, 3) face points at the onset, in crop pixels
    """
    return remove_rigid(tvl1(onset, apex), points)
