"""A trained model on disk: `weights.safetensors`, and `model.json` that says how to rebuild it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from ..engine.errors import MicroauError
from ..engine.flow_image import FlowSpec
from .calibration import Calibration
from .layout import Layout
from .model import CompactSizes, MicroAuClip, compact_model
from .paper.checkpoint import paper_from, paper_record
from .paper.network import PaperModel
from .towers import ClipSizes

WEIGHTS, RECORD = "weights.safetensors", "model.json"


@dataclass(frozen=True, slots=True)
class Trained:
    """A model with what must go with it into a bundle."""

    model: MicroAuClip | PaperModel
    sizes: CompactSizes | ClipSizes
    """Of the model; both kinds say `image` and `width`."""
    calibration: Calibration
    flow: FlowSpec
    card: Mapping[str, Any] = field(default_factory=dict)
    """Training data, command, seed, scores, licence, attribution."""
    left_out: tuple[int, ...] = ()
    """Units that the model knows and the bundle does not offer: they do not transfer well enough."""

    @property
    def offered(self) -> list[int]:
        """Positions of the units that the bundle offers."""
        return [n for n, au in enumerate(self.model.layout.aus) if au not in self.left_out]


def save(trained: Trained, folder: Path) -> None:
    """Write both files into an existing folder."""
    state = {name: tensor.contiguous() for name, tensor in trained.model.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    record = {
        "aus": list(trained.model.layout.aus),
        "sizes": asdict(trained.sizes),
        "calibration": asdict(trained.calibration),
        "flow": trained.flow.to_json(),
        "card": dict(trained.card),
        "left_out": list(trained.left_out),
    }
    if isinstance(trained.model, PaperModel):
        record["paper"] = paper_record(trained.model)
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n")


def load(folder: Path) -> Trained:
    """The way back; MicroauError where the folder holds no checkpoint."""
    if not (folder / RECORD).is_file() or not (folder / WEIGHTS).is_file():
        raise MicroauError(f"{folder}: no checkpoint here ({RECORD} and {WEIGHTS} expected).")
    record = json.loads((folder / RECORD).read_text())
    model, sizes = _model(record, load_file(folder / WEIGHTS))
    numbers: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in record["calibration"].items()
    }
    return Trained(
        model.eval(),
        sizes,
        Calibration(**numbers),
        FlowSpec.from_json(record["flow"]),
        record["card"],
        tuple(record.get("left_out", ())),
    )


def _model(
    record: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> tuple[MicroAuClip | PaperModel, CompactSizes | ClipSizes]:
    if "paper" in record:
        paper = paper_from(record["paper"], weights)
        return paper, paper.options.sizes
    sizes = CompactSizes(**record["sizes"])
    model = compact_model(Layout.of(record["aus"]), sizes)
    model.load_state_dict(weights)
    return model, sizes
