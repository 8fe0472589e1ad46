"""Make the picture that the model sees: motion in physical units, never scaled by its own maximum.

in    flow (H, W, 2) in pixels of the crop, head motion already taken out
out   image (3, S, S) float32: horizontal motion, vertical motion, optical strain

Motion is counted in percent of the outer-eye-corner distance (OED), so that it means the same for
every person and camera. A value of 1 in the image is `FlowSpec.unit` percent; larger motion is
compressed like a logarithm (asinh), along its own direction: a micro-expression of 1 % stays on the
linear part, a laugh of 15 % does not drown it, and noise stays small.

`FlowSpec` records all of it (`flow_spec.py`). `flow_image_cuda.py` makes the same picture on a GPU.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .flow_spec import FlowSpec as FlowSpec

Flow = NDArray[np.float32]
Image = NDArray[np.float32]


def flow_image(flow: Flow, spec: FlowSpec) -> Image:
    """Flow (crop, crop, 2) in crop pixels -> image (3, size, size) float32."""
    return image_of(percent_flow(flow, spec), spec)


def percent_flow(flow: Flow, spec: FlowSpec) -> Flow:
    """Flow (crop, crop, 2) in crop pixels -> (size, size, 2) in percent OED, averaged over areas."""
    if flow.shape != (spec.crop, spec.crop, 2):
        raise ValueError(f"flow must be ({spec.crop}, {spec.crop}, 2), not {flow.shape}")
    small = cv2.resize(flow, (spec.size, spec.size), interpolation=cv2.INTER_AREA)
    return np.asarray(small * np.float32(100 / spec.crop_oed), np.float32)


def image_of(percent: Flow, spec: FlowSpec) -> Image:
    """Motion (size, size, 2) in percent OED -> image (3, size, size) float32."""
    motion = soft_limit(percent / np.float32(spec.unit))
    strain = np.arcsinh(optical_strain(percent, spec) / np.float32(spec.strain_unit))
    return np.stack([motion[..., 0], motion[..., 1], strain]).astype(np.float32)


def soft_limit(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
    """Vectors (..., 2) with length r shortened to asinh(r), direction kept.

    >>> np.round(soft_limit(np.array([[0.3, 0.4], [30.0, 40.0]])), 2).tolist()
    [[0.29, 0.38], [2.76, 3.68]]
    """
    length = np.hypot(vectors[..., 0], vectors[..., 1])
    gain = np.arcsinh(length) / np.maximum(length, 1e-12)
    return np.asarray(vectors * gain[..., None])


def optical_strain(percent: Flow, spec: FlowSpec) -> NDArray[np.float32]:
    """Magnitude sqrt(exx^2 + eyy^2 + 2 exy^2) of the strain tensor, (S, S), no unit.

    percent   (S, S, 2) motion in percent OED
    Shreve et al., "Macro- and micro-expression spotting in long videos using spatio-temporal
    strain" (FG 2011).
    """
    step = 100 / spec.crop_oed * spec.crop / percent.shape[0]  # percent OED between two pixels
    across = cv2.Sobel(percent, cv2.CV_32F, 1, 0, ksize=3, scale=1 / (8 * step))  # (S, S, 2) d/dx
    down = cv2.Sobel(percent, cv2.CV_32F, 0, 1, ksize=3, scale=1 / (8 * step))  # (S, S, 2) d/dy
    shear = 0.5 * (across[..., 1] + down[..., 0])
    total = across[..., 0] ** 2 + down[..., 1] ** 2 + 2 * shear**2
    return np.asarray(np.sqrt(total), np.float32)
