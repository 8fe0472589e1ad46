"""How large the activations of a model get on real samples: the ranges that static quantisation needs.

The model runs on the samples with the wanted tensors as extra outputs; of each a fixed number of
values per batch is kept. The range is the one that loses least: clipping a few outliers costs less
than coarser steps for everything else, and by how much is measured, not guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from ..engine.errors import MicroauError

Samples = Mapping[str, NDArray[np.float32]]
"""Input name -> (n, ...): real inputs of the model, samples first."""
BATCH = 8
KEPT = 8192
"""Values kept of each tensor and batch."""
SHRINK = np.linspace(0.4, 1.0, 25)
"""Fractions of the full range that are tried."""


@dataclass(frozen=True, slots=True)
class Range:
    """Smallest and largest value that is worth a step of its own."""

    low: float
    high: float

    @property
    def bound(self) -> float:
        """Of the symmetric range around 0."""
        return max(-self.low, self.high)


def load_samples(path: Path) -> dict[str, NDArray[np.float32]]:
    """Samples from an .npz file with one array per input of the model."""
    try:
        with np.load(path, allow_pickle=False) as file:
            samples = {name: np.asarray(file[name], np.float32) for name in file.files}
    except (OSError, ValueError) as error:
        raise MicroauError(f"{path}: not an .npz file of samples ({error})") from error
    if not samples or min(map(len, samples.values())) == 0:
        raise MicroauError(f"{path}: holds no samples")
    return samples


def ranges(
    model: Any, samples: Samples, tensors: Sequence[str], levels: int | None, symmetric: bool
) -> dict[str, Range]:
    """Best range of each tensor.

    model      ModelProto in single precision
    levels     equal steps of the quantised type, 256 for eight bits; None: a floating type, whose
               steps shrink towards 0, so that nothing is won by clipping
    symmetric  the steps lie around 0 alike; otherwise they lie anywhere, 0 among them
    """
    _check_samples(model, samples)
    values: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    for name, array in _observe(model, samples, tensors):
        values[name].append(array)
    seen = {name: np.concatenate(parts) for name, parts in values.items()}
    return {name: best_range(array, levels, symmetric) for name, array in seen.items()}


def best_range(values: NDArray[np.float32], levels: int | None, symmetric: bool) -> Range:
    """The shrunken range around 0 with the least mean squared error after rounding and clipping."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    if symmetric:
        low, high = -max(-low, high), max(-low, high)
    if levels is None or high - low < np.finfo(np.float32).tiny * levels:
        return Range(low, high)
    errors = [_error(values, low * part, high * part, levels) for part in SHRINK]
    part = float(SHRINK[int(np.argmin(errors))])
    return Range(low * part, high * part)


def _error(values: NDArray[np.float32], low: float, high: float, levels: int) -> float:
    step = (high - low) / (levels - 1)
    rounded = np.round(np.clip(values, low, high) / step) * step
    return float(np.square(rounded - values).mean())


def _observe(
    model: Any, samples: Samples, tensors: Sequence[str]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Tensor name and some of its values, batch by batch."""
    computed = [name for name in tensors if name not in samples]
    session = _session(model, computed)
    rng = np.random.default_rng(0)
    for batch in batches(samples, BATCH):
        given = session.run(computed, batch) if computed else []  # no names at all would mean every output
        arrays = dict(batch) | dict(zip(computed, given, strict=True))
        for name in tensors:
            flat = arrays[name].reshape(-1)
            yield name, rng.choice(flat, KEPT) if flat.size > KEPT else flat


def batches(samples: Samples, size: int) -> Iterator[dict[str, NDArray[np.float32]]]:
    """The samples, `size` at a time."""
    count = min(map(len, samples.values()))
    for start in range(0, count, size):
        yield {name: array[start : start + size] for name, array in samples.items()}


def _session(model: Any, tensors: Sequence[str]) -> Any:
    open_model = onnx.ModelProto()
    open_model.CopyFrom(model)
    known = {output.name for output in model.graph.output}
    for name in tensors:
        if name not in known:
            open_model.graph.output.append(onnx.ValueInfoProto(name=name))
    options = ort.SessionOptions()
    options.log_severity_level = 3
    # Unoptimised: fusing would remove the very tensors that are asked for.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return ort.InferenceSession(open_model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _check_samples(model: Any, samples: Samples) -> None:
    wanted = {info.name for info in model.graph.input}
    if set(samples) != wanted:
        raise MicroauError(
            f"calibration: the model takes {', '.join(sorted(wanted))},"
            f" the samples hold {', '.join(sorted(samples))}"
        )
