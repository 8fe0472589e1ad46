"""Write a trained model as a bundle: one ONNX file with its metadata, checked against torch.

    python -m microau.export.bundle runs/default --out default.onnx

Text features, calibration and the gathering of tokens are folded into the graph: the runtime gives a
flow image and landmarks, and gets probabilities.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..engine.aus import UNITS
from ..engine.bundle import Bundle, Unit, graph_sha256, split_model
from ..engine.errors import MicroauError
from ..engine.inference import INPUTS, OUTPUTS, open_engine
from ..engine.scorer import DEFAULT, Scorer, load_scorer
from ..training.checkpoint import Trained, load
from ..training.emotion import prototypes
from ..training.model import EmotionByText
from ..training.prompts import sentence

OPSET = 18
TOLERANCE = 2e-4
"""Largest difference between torch and ONNX Runtime in any output, single precision."""

Arrays = dict[str, NDArray[np.float32]]


class Deployed(nn.Module):
    """The model as the runtime calls it: calibrated, with its sentences already read."""

    temperature: Tensor
    side_temperature: Tensor
    sided: Tensor
    offered: Tensor

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self.model = trained.model.eval()
        layout, calibration, offered = self.model.layout, trained.calibration, trained.offered
        with torch.no_grad():
            text = self.model.text_features()[offered]
        aus = [layout.aus[n] for n in offered]
        self.emotion = EmotionByText(aus, text, prototypes(aus))
        self.register_buffer("offered", torch.tensor(offered))
        self.register_buffer("temperature", torch.tensor(calibration.temperature))
        self.register_buffer("side_temperature", torch.tensor(calibration.side_temperature)[:, None])
        self.register_buffer("sided", torch.from_numpy(layout.sided)[:, None])

    def forward(self, flow: Tensor, landmarks: Tensor) -> tuple[Tensor, ...]:
        said = self.model(flow, landmarks)
        still, moves = said.logits.unbind(-1)  # (B, N) each
        probability = ((moves - still) / self.temperature).sigmoid()  # (B, N), softmax of two
        sides = (said.side_logits / self.side_temperature).sigmoid()  # (B, N, 2)
        sides = torch.where(self.sided, sides, probability[:, :, None])
        of_units: tuple[Tensor, ...] = probability, sides, said.features, said.attention, said.dependency
        if len(self.offered) < probability.shape[1]:
            of_units = tuple(array.index_select(1, self.offered) for array in of_units)
        return *of_units, self.emotion(of_units[2])  # (B, R) emotion


def write_bundle(trained: Trained, path: Path, name: str, scorer: Scorer | None = None) -> Bundle:
    """Export, add the metadata, check; the file appears only when it is whole.

    scorer  of the spotter, to go with the model
    """
    deployed = Deployed(trained).eval()
    model = to_onnx(deployed, _example(trained, 2))
    graph, _ = split_model(model.SerializeToString())
    bundle = replace(describe(trained, path, name, graph_sha256(graph)), scorer=scorer)
    onnx.helper.set_model_props(model, bundle.to_metadata())
    onnx.checker.check_model(model, full_check=True)
    partial = path.with_name(f"{path.stem}.partial.onnx")
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(model.SerializeToString())
    try:
        _require_parity(parity(partial, deployed, _example(trained, 5)))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return bundle


def to_onnx(deployed: Deployed, example: Arrays) -> onnx.ModelProto:
    """The graph with a dynamic batch, without traces of where it was made."""
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        # torch's deprecations within itself, and its remark that one name serves both batches
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", "# The axis name")
        program = torch.onnx.export(
            deployed,
            tuple(torch.from_numpy(example[name]) for name in INPUTS),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes=tuple({0: batch} for _ in INPUTS),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch's exporter gave no program")
    model: onnx.ModelProto = program.model_proto
    _forget_sources(model)
    return model


def describe(trained: Trained, path: Path, name: str, sha256: str) -> Bundle:
    """Everything that the runtime must know of the model."""
    layout, sizes = trained.model.layout, trained.sizes
    table = prototypes([layout.aus[n] for n in trained.offered])
    units, landmarks, width = len(trained.offered), len(layout.landmarks), layout.table().shape[1]
    return Bundle(
        name=name,
        path=path,
        units=tuple(_unit(trained, n) for n in trained.offered),
        landmarks=layout.landmarks,
        grid=trained.model.visual.grid,
        flow=trained.flow,
        emotions=tuple(table),
        prototypes=table,
        emotion_margin=trained.calibration.emotion_margin,
        shapes={
            "flow": (None, 3, sizes.image, sizes.image),
            "landmarks": (None, landmarks, 2),
            "probability": (None, units),
            "side_probability": (None, units, 2),
            "features": (None, units, sizes.width),
            "attention": (None, units, width),
            "dependency": (None, units),
            "emotion": (None, len(table)),
        },
        card=trained.card,
        sha256=sha256,
    )


def parity(path: Path, deployed: Deployed, inputs: Arrays) -> dict[str, tuple[float, float]]:
    """Output name -> largest and mean absolute difference between torch and ONNX Runtime."""
    with torch.no_grad():
        wanted = deployed(*(torch.from_numpy(inputs[name]) for name in INPUTS))
    with open_engine(path) as engine:
        got = engine(inputs)
    gaps = {n: np.abs(got[n] - w.numpy()) for n, w in zip(OUTPUTS, wanted, strict=True)}
    return {name: (float(gap.max()), float(gap.mean())) for name, gap in gaps.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """The command; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkpoint", type=Path, help="folder written by microau-train")
    parser.add_argument("--out", type=Path, required=True, help="bundle to write, .onnx")
    parser.add_argument("--spotter", type=Path, default=DEFAULT, help="scorer that goes with it, .json")
    args = parser.parse_args(argv)
    try:
        bundle = write_bundle(load(args.checkpoint), args.out, args.out.stem, load_scorer(args.spotter))
    except MicroauError as error:
        print(f"microau: {error}", file=sys.stderr)
        return 2
    print(f"{args.out}: {len(bundle.units)} units, {args.out.stat().st_size / 1e6:.2f} MB")
    return 0


def _unit(trained: Trained, n: int) -> Unit:
    layout, calibration = trained.model.layout, trained.calibration
    au = layout.aus[n]
    return Unit(
        au=au,
        name=UNITS[au].name,
        right=layout.right[n],
        left=layout.left[n],
        middle=layout.middle[n],
        threshold=calibration.threshold[n],
        side_margin=calibration.side_margin[n],
        positive=sentence(au),
        negative=sentence(au, moves=False),
    )


def _example(trained: Trained, batch: int) -> Arrays:
    """Smooth random motion and landmarks all over the crop, the same at every call."""
    rng = np.random.default_rng(0)
    size, count = trained.sizes.image, len(trained.model.layout.landmarks)
    coarse = torch.from_numpy(rng.normal(0, 0.7, (batch, 3, 7, 7)).astype(np.float32))
    flow = nn.functional.interpolate(coarse, (size, size), mode="bicubic").numpy()
    landmarks = rng.uniform(0, trained.flow.crop, (batch, count, 2)).astype(np.float32)
    return {"flow": flow, "landmarks": landmarks}


def _require_parity(gaps: dict[str, tuple[float, float]]) -> None:
    for name, (largest, _) in gaps.items():
        if largest > TOLERANCE:
            raise MicroauError(f"export: {name} differs from torch by {largest:.1e} (limit {TOLERANCE}).")


def _forget_sources(model: onnx.ModelProto) -> None:
    """Stack traces of the exporter name files of this machine: they go."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.metadata_props[:]
    for value in (
        *model.graph.input,
        *model.graph.output,
        *model.graph.value_info,
        *model.graph.initializer,
    ):
        del value.metadata_props[:]


if __name__ == "__main__":
    raise SystemExit(main())
