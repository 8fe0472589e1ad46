"""What lies between two face crops and the model's input, as a record that goes into the bundle.

It is written when a model is trained, and a bundle that was trained on another kind of flow is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .errors import MicroauError
from .registration import CROP, CROP_OED, EYE_ROW
from .tvl1 import Tvl1


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


RUNTIME = FlowSpec(algorithm="tvl1", parameters=asdict(Tvl1()))
"""What this version makes; a bundle with another specification is refused."""
