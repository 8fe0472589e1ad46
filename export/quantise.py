"""The same model in other number formats: one function from the fp32 bundle to each variant.

fp16          products in half precision, LayerNorm and softmax in fp32: GPUs
int8-dynamic  large matrices in eight bits, ranges measured in the run: CPUs, transformers
int8-static   convolutions and matrices in eight bits, ranges measured beforehand: CPUs
int8, fp8     eight-bit products with fp16 between them: TensorRT

A variant keeps names, shapes and fp32 inputs and outputs, and the bundle's metadata with its own hash.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx

from ..engine.bundle import KEY, graph_sha256, split_model
from ..engine.errors import MicroauError
from .calibration import Samples
from .dynamic import quantise_dynamic
from .half import to_half
from .onnx_graph import HALF, load
from .qdq import CPU, FP8, INT8, quantise

VARIANTS = ("fp32", "fp16", "int8-dynamic", "int8-static", "int8", "fp8")
CALIBRATED = ("int8-static", "int8", "fp8")
"""Variants that need samples."""


def variant_of(model: Any) -> str:
    """Which variant a model is, from its operators and constants."""
    operators = {node.op_type for node in model.graph.node}
    types = {constant.data_type for constant in model.graph.initializer}
    if onnx.TensorProto.FLOAT8E4M3FN in types:
        return "fp8"
    if "QuantizeLinear" in operators:
        return "int8-static" if onnx.TensorProto.UINT8 in types else "int8"
    if "DynamicQuantizeLinear" in operators:
        return "int8-dynamic"
    return "fp16" if HALF in types else "fp32"


def convert(model: Any, variant: str, samples: Samples | None = None) -> Any:
    """The variant of an fp32 model.

    samples  real inputs, where the variant needs ranges
    """
    if variant in CALIBRATED and samples is None:
        raise MicroauError(f"{variant} needs samples to measure ranges on: give --calibration samples.npz")
    match variant:
        case "fp32":
            return model
        case "fp16":
            return to_half(model)
        case "int8-dynamic":
            return quantise_dynamic(model)
        case "int8-static":
            return quantise(model, samples or {}, CPU)
        case "int8":
            return to_half(quantise(model, samples or {}, INT8))
        case "fp8":
            return to_half(quantise(model, samples or {}, FP8))
    raise MicroauError(f"no variant '{variant}': choose one of {', '.join(VARIANTS)}")


def convert_file(source: Path, out: Path, variant: str, samples: Samples | None = None) -> None:
    """Read an fp32 file, write the variant; MicroauError where the file is another variant already."""
    model = load(source)
    found = variant_of(model)
    if found not in ("fp32", variant):
        raise MicroauError(f"{source}: holds {found}; {variant} is made from the fp32 file")
    save(convert(model, variant, samples) if found != variant else model, out, variant)


def save(model: Any, out: Path, variant: str) -> None:
    """Write a model, its metadata brought up to date; the file appears only when it is whole."""
    graph, metadata = split_model(model.SerializeToString())
    if KEY in metadata:
        record = json.loads(metadata[KEY])
        record["sha256"] = graph_sha256(graph)
        record["card"] |= {"precision": variant}
        metadata[KEY] = json.dumps(record, sort_keys=True)
        onnx.helper.set_model_props(model, metadata)
    part = out.with_name(out.name + ".part")
    try:
        part.write_bytes(model.SerializeToString())
        part.replace(out)
    except OSError as error:
        raise MicroauError(f"{out}: cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
