"""Make the picture that the model sees: motion in physical units, never scaled by its own maximum.

in    flow (H, W, 2) in pixels of the crop, head motion already taken out
out   image (3, S, S) float32: horizontal motion, vertical motion, optical strain

Motion is counted in percent of the outer-eye-corner distance (OED), so that it means the same for
every person and camera. A value of 1 in the image is `FlowSpec.unit` percent; larger motion is
compressed like a logarithm (asinh), along its own direction: a micro-expression of 1 % stays on the
linear part, a laugh of 15 % does not drown it, and noise stays small.

`FlowSpec` records all of it. It is written into the bundle when a model is trained, and a bundle that
was trained on another kind of flow is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import MicroauError
from .registration import CROP, CROP_OED, EYE_ROW

Flow = NDArray[np.float32]
Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FlowSpec:
    """Everything between two face crops and the model's input. The defaults are the runtime's."""

    crop: int = CROP
    """Pixels, width and height of the registered face crop."""
    crop_oed: float = CROP_OED
    """Pixels between the outer eye corners in the crop."""
    eye_row: float = EYE_ROW
    """Row of the eye line in the crop."""
    algorithm: str = "tvl1"
    parameters: Mapping[str, float] = field(default_factory=dict)
    """Of the flow algorithm, by name."""
    rigid: str = "weak-perspective-6"
    """How head motion is taken out."""
    channels: tuple[str, ...] = ("u", "v", "strain")
    """u: to the picture's right; v: down; strain: magnitude of the optical strain tensor."""
    size: int = 112
    """Pixels, width and height of the image."""
    unit: float = 2.0
    """Percent OED of motion that make 1 in the image."""
    strain_unit: float = 0.05
    """Optical strain (no unit) that makes 1 in the image."""
    limit: str = "asinh"

    def to_json(self) -> dict[str, Any]:
        record = asdict(self)
        return record | {"channels": list(self.channels), "parameters": dict(self.parameters)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> FlowSpec:
        """The spec from its JSON; a key that is missing or unknown is a `MicroauError`."""
        known = {entry.name for entry in fields(cls)}
        if set(record) != known:
            odd = sorted(set(record) ^ known)
            raise MicroauError(f"flow specification: missing or unknown {', '.join(odd)}")
        return cls(**(dict(record) | {"channels": tuple(record["channels"])}))

    def require(self, runtime: FlowSpec, name: str) -> None:
        """Refuse a model that was trained on another kind of flow than `runtime` makes."""
        wanted, made = self.to_json(), runtime.to_json()
        for key, value in wanted.items():
            if json.dumps(value, sort_keys=True) != json.dumps(made[key], sort_keys=True):
                raise MicroauError(
                    f"{name}: trained on flow with {key} {_short(value)}, this version makes"
                    f" {_short(made[key])}. Train or export it again."
                )


def _short(value: object) -> str:
    return json.dumps(value, sort_keys=True)


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
