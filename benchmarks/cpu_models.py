"""How fast are the models on a CPU, in single precision and in eight bits? One JSON line per variant.

    python benchmarks/cpu_models.py [--runs 60] [--batch 1]

The shipped model, and CLIP's ViT-B/32, the size of the paper's visual tower, with random weights (it is
exported first: half a minute). ONNX Runtime, one thread; the variants take turns on changing inputs, so
that a busy machine slows all alike; `ratio` is the time of fp32 over that of the variant.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from gpu_networks import VitB32

from microau.engine.describe import DEFAULT_BUNDLE
from microau.export.onnx_graph import load
from microau.export.quantise import convert

VARIANTS = ("fp32", "int8-dynamic", "int8-static")
DIFFERENT = 8
"""Inputs that the runs go through."""


def models() -> Iterator[tuple[str, Any]]:
    """Name and ONNX model."""
    yield "default", load(Path(DEFAULT_BUNDLE))
    torch.manual_seed(0)
    yield "vit-b-32", exported(VitB32().eval())


def exported(module: VitB32) -> Any:
    """The tower as an ONNX model with a dynamic batch."""
    example = torch.zeros((2, *module.shapes["flow"]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vit.onnx"
        torch.onnx.export(
            module,
            (example,),
            path,
            input_names=["flow"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            opset_version=18,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        return load(path)


def inputs_of(model: Any, count: int) -> dict[str, np.ndarray]:
    """Random motion and landmarks in the shapes that the model takes."""
    rng = np.random.default_rng(0)
    shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim][1:] for i in model.graph.input}
    scale = {"flow": 1.0, "landmarks": 200.0}
    return {n: (rng.random((count, *s)) * scale[n]).astype(np.float32) for n, s in shapes.items()}


def session(model: Any) -> Any:
    """One thread, as in the pipeline."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def measure(name: str, model: Any, runs: int, batch: int) -> None:
    """Print a line for each variant of a model."""
    samples = inputs_of(model, 16)
    variants = {variant: convert(model, variant, samples) for variant in VARIANTS}
    sessions = {variant: session(made) for variant, made in variants.items()}
    given = inputs_of(model, batch * DIFFERENT)
    times: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    for run in range(-2, runs):
        rows = slice(run % DIFFERENT * batch, (run % DIFFERENT + 1) * batch)
        part = {n: array[rows] for n, array in given.items()}
        for variant, one in sessions.items():
            began = time.perf_counter()
            one.run(None, part)
            if run >= 0:
                times[variant].append(1e3 * (time.perf_counter() - began))
    for variant in VARIANTS:
        report(name, variant, variants[variant], times, batch)


def report(name: str, variant: str, model: Any, times: dict[str, list[float]], batch: int) -> None:
    """One JSON line."""
    p50, p99 = np.percentile(times[variant], [50, 99])
    line = {
        "model": name,
        "variant": variant,
        "megabytes": round(model.ByteSize() / 1e6, 2),
        "batch": batch,
    }
    line |= {"p50_ms": round(p50, 3), "p99_ms": round(p99, 3), "runs": len(times[variant])}
    line |= {"ratio": round(float(np.median(times["fp32"])) / p50, 2), "machine": machine()}
    print(json.dumps(line | {"onnxruntime": ort.__version__, "onnx": onnx.__version__}), flush=True)


def machine() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--batch", type=int, default=1)
    args = parser.parse_args()
    for name, model in models():
        measure(name, model, args.runs, args.batch)


if __name__ == "__main__":
    main()
