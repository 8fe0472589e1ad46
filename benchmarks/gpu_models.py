"""How fast are the models on a GPU? One JSON line per model, precision and batch, and two for the card.

    python benchmarks/gpu_models.py [--batches 1 8 64 256] [--compile] [--files model.plan ...]

The default model, the paper's ViT-B/32 alone and the paper's whole model run in torch from recorded CUDA
graphs, in fp32 (TF32 off), bf16 and fp16, on inputs that change from call to call and lie on the card,
between CUDA events. The card's own ceilings, a large copy and a large fp16 product, are measured in the
same run. The shipped bundle runs in ONNX Runtime's and TensorRT's back ends where these are installed.
`--files` adds engines and bundles through the runtime's own interface, from the host and back.

Needs torch, NumPy and Numba alone, and no installation: it runs from the repository as it lies there.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from ctypes.util import find_library
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_networks import MODELS
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[1]
Shapes = dict[str, tuple[int, ...]]
Line = dict[str, Any]
Call = Callable[[int], object]
"""Runs the n-th call."""
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
INPUTS = 16
"""Different inputs that the calls go through."""


def import_project() -> None:
    """`microau` is the repository's root: where it is not installed, it is imported from there."""
    if importlib.util.find_spec("microau") is not None:
        return
    place = importlib.util.spec_from_file_location(
        "microau", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    if place is None or place.loader is None:
        raise SystemExit(f"no package in {ROOT}")
    sys.modules["microau"] = module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)


def inputs_for(
    shapes: dict[str, tuple[int, ...]], batch: int, device: torch.device, count: int = INPUTS
) -> list[dict[str, Tensor]]:
    """Different inputs, made on the device."""
    generator = torch.Generator(device).manual_seed(0)
    scale = {"flow": 1.0, "landmarks": 200.0}
    return [
        {name: torch.rand((batch, *shape), generator=generator, device=device) * scale[name]
         for name, shape in shapes.items()}
        for _ in range(count)
    ]  # fmt: skip


@cache
def operations(name: str) -> int:
    """Floating-point operations of one sample, counted by torch (a multiply-add is two)."""
    module = MODELS[name]().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs_for(module.shapes, 1, torch.device("cpu"), 1)[0].values())
    return int(counter.get_total_flops())


WARM_UP, MOST_S, FEWEST = 5, 4.0, 20
"""Calls before the clock runs; seconds that one measurement may take, unless that is fewer calls."""


def times_ms(call: Call, calls: int, device: torch.device) -> np.ndarray:
    """Milliseconds of each call, by CUDA events where there is a card; fewer calls where they are slow."""
    began = time.perf_counter()
    for number in range(min(WARM_UP, calls)):
        call(number)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    call(0)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    fit = int(MOST_S / max(time.perf_counter() - began, 1e-6))
    calls = min(calls, max(FEWEST, fit))
    if device.type == "cpu":
        return np.array(list(_wall(call, calls)))
    marks: list[Any] = [_event() for _ in range(calls + 1)]
    marks[0].record()
    for number in range(calls):
        call(number)
        marks[number + 1].record()
    torch.cuda.synchronize(device)
    return np.array([a.elapsed_time(b) for a, b in pairwise(marks)])


def _event() -> Any:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


def _wall(call: Call, calls: int) -> Iterator[float]:
    for number in range(calls):
        began = time.perf_counter()
        call(number)
        yield 1e3 * (time.perf_counter() - began)


def ceilings(device: torch.device) -> dict[str, float]:
    """What this card does at best: TB/s of a copy, read and written, and TFLOP/s of an fp16 product."""
    large = device.type == "cuda"
    count, side = (1 << 30, 8192) if large else (1 << 22, 256)
    kind = torch.float16 if large else torch.float32
    source = torch.randint(256, (count,), dtype=torch.uint8, device=device)  # zeros may be faster
    target = torch.empty_like(source)
    a, b = (torch.randn((side, side), device=device).to(kind) for _ in range(2))
    copy = np.median(times_ms(lambda _: target.copy_(source), 20, device))
    product = np.median(times_ms(lambda _: a @ b, 20, device))
    return {"copy_tb_s": 2 * count / copy / 1e9, "product_tflop_s": 2 * side**3 / product / 1e9}


def lines_of_models(device: torch.device, batches: Sequence[int], calls: int) -> Iterator[Line]:
    """Both models in torch; then the shipped bundle in the back ends that are installed; compiled last."""
    torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32; matrix products have it off by default
    best = ceilings(device)["product_tflop_s"]
    for name in MODELS:
        yield from in_torch(name, batches, calls, device, best)
    shipped = ROOT / "engine" / "assets" / "default.onnx"
    for where in ("cuda", "tensorrt") if device.type == "cuda" else ("cpu",):
        for batch in batches:
            about = {"model": shipped.name, "where": where, "batch": batch}
            yield from guarded(about, bundle_lines, shipped, where, batch, calls)
    if device.type == "cuda":
        for precision in ("fp32", "fp16"):
            about = {"model": shipped.name, "back_end": "TensorRT", "precision": precision}
            yield from guarded(about, built_lines, shipped, precision, batches, calls)
        # Compiling takes half a minute: the one line that the card's rate is asked for.
        about = {
            "model": "vit-b-32",
            "back_end": "torch compiled graph",
            "precision": "fp16",
            "batch": max(batches),
        }
        yield from guarded(about, torch_lines, "vit-b-32", "fp16", max(batches), calls, device, best, True)


def in_torch(
    name: str, batches: Sequence[int], calls: int, device: torch.device, best: float, compiled: bool = False
) -> Iterator[Line]:
    """One model in every precision and batch, from recorded graphs."""
    for precision in PRECISIONS:
        for batch in batches:
            about = {"model": name, "precision": precision, "batch": batch}
            yield from guarded(about, torch_lines, name, precision, batch, calls, device, best, compiled)


def torch_lines(
    name: str, precision: str, batch: int, calls: int, device: torch.device, best: float, compiled: bool
) -> Iterator[Line]:
    """One model in one precision at one batch."""
    from microau.engine.torch_graphs import TorchGraphs

    torch.manual_seed(0)
    module = MODELS[name]().to(PRECISIONS[precision])
    fast: Any = torch.compile(module, dynamic=False) if compiled else module
    graphs = TorchGraphs(fast, module.shapes, [batch], device)
    times = times_ms(_runner(graphs, inputs_for(module.shapes, batch, device)), calls, device)
    line = {"model": name, "back_end": "torch compiled graph" if compiled else "torch graph"}
    yield figures(line | {"precision": precision}, batch, times, operations(name), best)


def bundle_lines(
    path: Path, where: str, batch: int, calls: int, precision: str = "as in the file"
) -> Iterator[Line]:
    """A bundle or an engine as the pipeline runs it: from host memory and back, wall clock."""
    if path.suffix == ".onnx" and (lacking := lacks(where)):
        yield {"model": path.name, "where": where, "skipped": lacking}
        return
    from microau.engine.inference import INPUTS as NAMES
    from microau.engine.inference import open_engine

    with open_engine(path, where) as engine:
        shapes = {n: tuple(s for s in engine.bundle.shapes[n] if s is not None) for n in NAMES}
        made = inputs_for(shapes, batch, torch.device("cpu"), 4)
        given = [{name: array.numpy() for name, array in one.items()} for one in made]
        times = times_ms(_runner(engine, given), calls, torch.device("cpu"))
        line = {"model": path.name, "back_end": f"{type(engine).__name__} {where}"}
        yield figures(line | {"precision": precision}, batch, times)


def lacks(where: str) -> str:
    """What ONNX Runtime has not got to run a bundle there; '' where it has all."""
    try:
        import onnxruntime
    except ImportError:
        return "onnxruntime is not installed"
    provider = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}.get(where)
    if provider is not None and provider not in onnxruntime.get_available_providers():
        return f"this ONNX Runtime has no {provider}"
    if where == "tensorrt" and find_library("nvinfer") is None:
        return "TensorRT's library, libnvinfer, is not installed"
    return ""


def built_lines(bundle: Path, precision: str, batches: Sequence[int], calls: int) -> Iterator[Line]:
    """The bundle as an engine that TensorRT builds here."""
    line = {"model": bundle.name, "back_end": "TensorRT", "precision": precision}
    if importlib.util.find_spec("tensorrt") is None:
        yield line | {"skipped": "tensorrt is not installed"}
        return
    if precision != "fp32" and importlib.util.find_spec("onnx") is None:
        yield line | {"skipped": "onnx, which converts the bundle, is not installed"}
        return
    with tempfile.TemporaryDirectory() as folder:
        plan = built_engine(bundle, precision, batches, Path(folder))
        for batch in batches:
            yield from bundle_lines(plan, "tensorrt", batch, calls, precision)


def built_engine(
    bundle: Path, precision: str, batches: Sequence[int], folder: Path, flavour: str = "tensorrt"
) -> Path:
    """The engine of a bundle in single precision, for all batches."""
    from microau.engine.engine_file import BuildOptions
    from microau.export.trt.builder import build

    source, plan = folder / "model.onnx", folder / "model.plan"
    if precision == "fp32":
        shutil.copyfile(bundle, source)
    else:
        from microau.export.quantise import convert_file

        convert_file(bundle, source, precision)
    sizes = min(batches), sorted(batches)[len(batches) // 2], max(batches)
    build(source, plan, BuildOptions(flavour, precision, sizes))
    return plan


def guarded(
    about: Mapping[str, object], lines: Callable[..., Iterator[Line]], *arguments: Any
) -> Iterator[Line]:
    """The lines; an error becomes one line, and the next measurement is tried."""
    try:
        yield from lines(*arguments)
    except Exception as error:
        yield {**about, "error": f"{type(error).__name__}: {error}"[:400]}
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.synchronize()  # a broken context is of no use to what follows: the part ends here


def _runner(call: Callable[[dict[str, Any]], object], given: Sequence[dict[str, Any]]) -> Call:
    return lambda number: call(given[number % len(given)])


def figures(
    about: Mapping[str, object], batch: int, times: np.ndarray, flops: int = 0, best: float = 0.0
) -> Line:
    """One line; `share` is the part of the card's own fp16 product rate that was reached."""
    p50, p99 = np.percentile(times, [50, 99])
    line: Line = dict(about)
    line |= {"batch": batch, "p50_ms": round(p50, 4), "p99_ms": round(p99, 4), "calls": len(times)}
    line |= {"samples_s": round(1e3 * batch / p50)}
    if flops:
        rate = flops * batch / p50 / 1e9
        line |= {"tflop_s": round(rate, 2), "share": round(rate / best, 3)}
    return line


def machine(device: torch.device) -> dict[str, str]:
    """Where it ran."""
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    return {"device": card or platform.machine(), "torch": str(torch.__version__)}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--compile", action="store_true", help="with torch.compile (needs Triton)")
    parser.add_argument("--models", nargs="*", choices=MODELS, default=list(MODELS))
    parser.add_argument(
        "--files", type=Path, nargs="*", default=[], help="bundles (.onnx), engines (.plan)"
    )
    args = parser.parse_args()
    device = torch.device(args.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit(f"torch {torch.__version__} finds no GPU: use --device cpu")
    import_project()
    torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32; matrix products have it off by default
    limits = ceilings(device)
    tell({"ceilings": {n: round(v, 3) for n, v in limits.items()}}, device)
    for name in args.models:
        for line in in_torch(
            name, args.batches, args.calls, device, limits["product_tflop_s"], args.compile
        ):
            tell(line, device)
    for path in args.files:
        where = "tensorrt" if path.suffix == ".plan" else str(device)
        for batch in args.batches:
            about = {"model": path.name, "batch": batch}
            for line in guarded(about, bundle_lines, path, where, batch, args.calls):
                tell(line, device)


def tell(line: Mapping[str, Any], device: torch.device) -> None:
    """Print one line."""
    print(json.dumps({**line, **machine(device)}), flush=True)


if __name__ == "__main__":
    main()
