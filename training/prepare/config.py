"""What is done to a pair of frames; its hash names the cache."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ...engine.errors import MicroauError
from ...engine.facial_flow import RUNTIME
from ...engine.magnification import MAGNIFICATIONS

LEARNED = "learned"
"""Oh et al.'s network, from `training.magnifier`."""
MISSING_APEX = ("skip", "middle")

FORMAT = 2
"""Counts up when the arrays of a cache change."""


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """The flow is always the runtime's (`engine.facial_flow`): what is trained is what is run."""

    magnification: str = "none"
    """none, flow, phase or learned."""
    factor: float = 3.0
    """How many times the motion; the paper's 3."""
    weights: str = ""
    """File of the learned network."""
    missing_apex: str = "skip"
    """A sample without an apex is left out, or the frame in the middle is taken (SMIC)."""

    def __post_init__(self) -> None:
        known = (*MAGNIFICATIONS, LEARNED)
        if self.magnification not in known:
            raise MicroauError(
                f"magnification {self.magnification!r} is not known; there are {', '.join(known)}"
            )
        if not 1 <= self.factor <= 50:
            raise MicroauError(f"factor must lie between 1 and 50, got {self.factor:g}")
        if (self.magnification == LEARNED) != bool(self.weights):
            raise MicroauError(
                "learned magnification needs its weights, and nothing else does: --weights FILE"
            )
        if self.missing_apex not in MISSING_APEX:
            raise MicroauError(
                f"missing_apex must be one of {', '.join(MISSING_APEX)}, got {self.missing_apex!r}"
            )

    def record(self) -> dict[str, object]:
        """Everything that the prepared arrays depend on, besides the pictures."""
        settings = asdict(self) | {"weights": _sha256(Path(self.weights)) if self.weights else ""}
        if self.magnification == "none":
            settings.pop("factor")
        return {"format": FORMAT, "flow": RUNTIME.to_json(), **settings}

    def key(self) -> str:
        """Twelve hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.record(), sort_keys=True).encode()).hexdigest()[:12]


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise MicroauError(f"{path}: the weights cannot be read: {error.strerror}") from None
