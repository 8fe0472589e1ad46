"""The paper's model as JSON and tensors, and back.

All weights are kept, also those that were not trained: the file stands for itself, wherever CLIP's own
weights have gone since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from torch import Tensor

from ...engine.facial_flow import RUNTIME
from ...engine.flow_image import FlowSpec
from ..layout import Layout
from ..towers.weights import RANDOM
from .network import PaperModel, paper_model
from .options import PaperOptions


def paper_flow(options: PaperOptions) -> FlowSpec:
    """The flow image that the model takes: the runtime's, at the size of CLIP (see `ClipPicture`)."""
    return replace(RUNTIME, size=options.sizes.image)


def paper_record(model: PaperModel) -> dict[str, Any]:
    """How to build the model again, as JSON."""
    return {"options": model.options.to_json(), "layout": asdict(model.layout)}


def paper_from(record: Mapping[str, Any], weights: Mapping[str, Tensor]) -> PaperModel:
    """What `paper_record` and `state_dict` were taken from, in evaluation mode."""
    options, layout = PaperOptions.from_json(record["options"]), _layout(record["layout"])
    model = paper_model(replace(options, pretrained=RANDOM), layout)
    model.load_state_dict(dict(weights))
    model.options = options
    model.read_sentences()
    return model.eval()


def _layout(record: Mapping[str, Any]) -> Layout:
    halves = {side: tuple(tuple(unit) for unit in record[side]) for side in ("right", "left", "middle")}
    return Layout(tuple(record["aus"]), tuple(record["landmarks"]), **halves)
