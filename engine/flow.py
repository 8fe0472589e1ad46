"""Every optical flow on offer behind one call: two gray pictures in, displacement in pixels out.

    flow = optical_flow("dis-fast")
    flow(onset, apex)          # (H, W, 2) float32, x to the right, y down

The returned object keeps its buffers from call to call: one per thread.
docs/flow.md has their errors and times side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from .errors import MicroauError
from .records import Gray
from .tvl1 import Flow, Tvl1, Tvl1Solver

FlowMethod = Callable[[Gray, Gray], Flow]
"""(H, W) uint8 onset and apex -> (H, W, 2): what lies at (x, y) in onset lies at (x, y) + flow[y, x]."""

DIS_PRESETS = {
    "dis-ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "dis-fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "dis-medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}

FLOWS = ("tvl1", "tvl1-half", *DIS_PRESETS, "farneback")
"""Names that `optical_flow` takes; `tvl1-half` stops at half the resolution."""


def optical_flow(name: str, params: Tvl1 | None = None) -> FlowMethod:
    """The flow of that name; `params` is TV-L1's alone."""
    if name == "tvl1":
        return _AnySize(params or Tvl1())
    if name == "tvl1-half":
        return _AnySize(replace(params or Tvl1(), finest=1))
    if name in DIS_PRESETS:
        return _Dis(DIS_PRESETS[name])
    if name == "farneback":
        return _farneback
    raise MicroauError(f"flow {name!r} is not known; choose one of {', '.join(FLOWS)}")


class _AnySize:
    """TV-L1 with one solver, made anew when the size of the pictures changes."""

    def __init__(self, params: Tvl1) -> None:
        self._params = params
        self._solver: Tvl1Solver | None = None

    def __call__(self, onset: Gray, apex: Gray) -> Flow:
        if self._solver is None or self._solver.shape != onset.shape:
            self._solver = Tvl1Solver(onset.shape[0], onset.shape[1], self._params)
        return self._solver(onset, apex)


class _Dis:
    """Dense inverse search (Kroeger et al. 2016), OpenCV's."""

    def __init__(self, preset: int) -> None:
        self._dis = cv2.DISOpticalFlow.create(preset)

    def __call__(self, onset: Gray, apex: Gray) -> Flow:
        # None, which OpenCV's stub does not know: an array would be taken as the flow to start from.
        flow = self._dis.calc(onset, apex, None)  # type: ignore[call-overload]
        return np.asarray(flow, np.float32)


def _farneback(onset: Gray, apex: Gray) -> Flow:
    """Polynomial expansion (Farneback 2003), with the settings of He's MEGC spotting."""
    empty = np.empty((*onset.shape, 2), np.float32)
    flow = cv2.calcOpticalFlowFarneback(onset, apex, empty, 0.5, 3, 15, 5, 7, 1.5, 0)
    return np.asarray(flow, np.float32)
