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
import contextlib
import importlib.util
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[1]
Shapes = dict[str, tuple[int, ...]]
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


class Attention(nn.Module):
    """Multi-head self-attention by torch's fused kernel."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.into, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, D)
        batch, tokens, width = x.shape
        split = self.into(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*split.unbind(0))  # (B, heads, T, D / heads)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return out


class QuickGelu(nn.Module):
    """The activation of OpenAI's CLIP."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class Layer(nn.Module):
    """One transformer block, norms first."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), QuickGelu(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class VitB32(nn.Module):
    """CLIP's ViT-B/32 at 224: the size of the paper's visual tower, with random weights."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes = {"flow": (3, 224, 224)}
        width, heads, layers, patch = 768, 12, 12, 32
        self.patches = nn.Conv2d(3, width, patch, patch, bias=False)
        self.first = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.place = nn.Parameter(torch.randn(1, 50, width) * 0.02)
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.layers = nn.Sequential(*(Layer(width, heads) for _ in range(layers)))
        self.project = nn.Linear(width, 512, bias=False)

    def forward(self, flow: Tensor) -> Tensor:  # (B, 3, 224, 224)
        patches = self.patches(flow.to(self.place.dtype)).flatten(2).transpose(1, 2)  # (B, 49, 768)
        x = torch.cat([self.first.expand(flow.shape[0], -1, -1), patches], 1) + self.place  # (B, 50, 768)
        tokens: Tensor = self.project(self.after(self.layers(self.before(x))))
        return tokens  # (B, 50, 512)


class Paper(nn.Module):
    """Micro-AU CLIP as published, whole: tower, patch token attention, global dependency attention and a
    head for each of eight units (`training/paper/network.py`, which needs open_clip), random weights.
    """

    def __init__(self) -> None:
        super().__init__()
        from microau.engine.registration import CROP
        from microau.training.layout import Layout
        from microau.training.model import GlobalDependencyAttention, Grouped

        layout = Layout.of(PAPER_AUS)
        units, width, self.frame = len(layout.aus), 512, CROP
        self.tower = VitB32()
        self.shapes = self.tower.shapes | {"landmarks": (len(layout.landmarks), 2)}
        table = torch.from_numpy(layout.table())  # (N, L)
        self.register_buffer("table", table.clamp(min=0), persistent=False)
        self.register_buffer("mask", table >= 0, persistent=False)
        self.attend = nn.Sequential(Grouped(units, width, 128), nn.ReLU(), Grouped(units, 128, 1))
        self.depend = GlobalDependencyAttention(units, width)
        self.heads = nn.Sequential(Grouped(units, width, 256), nn.ReLU(), Grouped(units, 256, 2))

    def forward(self, flow: Tensor, landmarks: Tensor) -> tuple[Tensor, ...]:
        from microau.training.model import softmax_where, tokens_under

        tokens = self.tower(flow)[:, 1:].unflatten(1, (7, 7))  # (B, 7, 7, D)
        own = tokens_under(tokens, landmarks, self.table, self.frame)  # (B, N, L, D) Eq 1
        weights = softmax_where(self.attend(own)[..., 0], self.mask)  # (B, N, L) Eq 2
        local = (weights[..., None] * own).sum(2)  # (B, N, D) Eq 3
        together, dependency = self.depend(local)  # Eq 4-6
        features = together + local  # (B, N, D)
        return self.heads(features), features, weights, dependency  # Eq 7


class Default(nn.Module):
    """The default model's structure and sizes, with random weights."""

    def __init__(self) -> None:
        super().__init__()
        from microau.training.layout import DEFAULT_AUS, Layout
        from microau.training.model import CompactSizes, compact_model

        sizes = CompactSizes()
        self.model = compact_model(Layout.of(DEFAULT_AUS), sizes)
        self.shapes = {
            "flow": (3, sizes.image, sizes.image),
            "landmarks": (len(self.model.layout.landmarks), 2),
        }

    def forward(self, flow: Tensor, landmarks: Tensor) -> tuple[Tensor, ...]:
        # Landmarks stay in single precision: in half they would choose the wrong token.
        kind = next(self.model.parameters()).dtype
        return tuple(self.model(flow.to(kind), landmarks))


PAPER_AUS = (1, 2, 4, 7, 12, 14, 15, 17)
MODELS: dict[str, Callable[[], Any]] = {"default": Default, "vit-b-32": VitB32, "paper": Paper}


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


def operations(module: nn.Module, shapes: Shapes) -> int:
    """Floating-point operations of one sample, counted by torch (a multiply-add is two)."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs_for(shapes, 1, torch.device("cpu"), 1)[0].values())
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
    source, target = (torch.zeros(count, dtype=torch.uint8, device=device) for _ in range(2))
    a, b = (torch.randn((side, side), device=device).to(kind) for _ in range(2))
    copy = np.median(times_ms(lambda _: target.copy_(source), 20, device))
    product = np.median(times_ms(lambda _: a @ b, 20, device))
    return {"copy_tb_s": 2 * count / copy / 1e9, "product_tflop_s": 2 * side**3 / product / 1e9}


def lines_of_models(device: torch.device, batches: Sequence[int], calls: int) -> Iterator[dict[str, Any]]:
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
        about = {"model": shipped.name, "back_end": "TensorRT"}
        yield from guarded(about, built_lines, shipped, batches, calls)
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
) -> Iterator[dict[str, Any]]:
    """One model in every precision and batch, from recorded graphs."""
    for precision in PRECISIONS:
        for batch in batches:
            about = {"model": name, "precision": precision, "batch": batch}
            yield from guarded(about, torch_lines, name, precision, batch, calls, device, best, compiled)


def torch_lines(
    name: str, precision: str, batch: int, calls: int, device: torch.device, best: float, compiled: bool
) -> Iterator[dict[str, Any]]:
    """One model in one precision at one batch."""
    from microau.engine.torch_graphs import TorchGraphs

    torch.manual_seed(0)
    flops = operations(MODELS[name]().eval(), MODELS[name]().shapes)
    module = MODELS[name]().to(PRECISIONS[precision])
    fast: Any = torch.compile(module, dynamic=False) if compiled else module
    graphs = TorchGraphs(fast, module.shapes, [batch], device)
    times = times_ms(_runner(graphs, inputs_for(module.shapes, batch, device)), calls, device)
    line = {"model": name, "back_end": "torch compiled graph" if compiled else "torch graph"}
    yield figures(line | {"precision": precision}, batch, times, flops, best)


def bundle_lines(path: Path, where: str, batch: int, calls: int) -> Iterator[dict[str, Any]]:
    """A bundle or an engine as the pipeline runs it: from host memory and back, wall clock."""
    if path.suffix == ".onnx" and (lacks := _lacks(where)):
        yield {"model": path.name, "where": where, "skipped": lacks}
        return
    from microau.engine.inference import INPUTS as NAMES
    from microau.engine.inference import open_engine

    with open_engine(path, where) as engine:
        shapes = {n: tuple(s for s in engine.bundle.shapes[n] if s is not None) for n in NAMES}
        made = inputs_for(shapes, batch, torch.device("cpu"), 4)
        given = [{name: array.numpy() for name, array in one.items()} for one in made]
        times = times_ms(_runner(engine, given), calls, torch.device("cpu"))
        line = {"model": path.name, "back_end": f"{type(engine).__name__} {where}"}
        yield figures(line | {"precision": "as in the file"}, batch, times)


def _lacks(where: str) -> str:
    """What ONNX Runtime has not got to run a bundle there; '' where it has all."""
    try:
        import onnxruntime
    except ImportError:
        return "onnxruntime is not installed"
    provider = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}.get(where)
    there = provider is None or provider in onnxruntime.get_available_providers()
    return "" if there else f"this ONNX Runtime has no {provider}"


def built_lines(bundle: Path, batches: Sequence[int], calls: int) -> Iterator[dict[str, Any]]:
    """The bundle as an engine that TensorRT builds here, in the precision of the file."""
    if importlib.util.find_spec("tensorrt") is None:
        yield {"model": bundle.name, "back_end": "TensorRT", "skipped": "tensorrt is not installed"}
        return
    from microau.export.trt.cli import main as build

    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "model.plan"
        sizes = [str(size) for size in (min(batches), sorted(batches)[len(batches) // 2], max(batches))]
        words = ["--onnx", str(bundle), "--out", str(plan), "--precision", "fp32", "--batch", *sizes]
        with contextlib.redirect_stdout(sys.stderr):
            if build(words):
                raise RuntimeError("the engine was not built; the reason is above")
        for batch in batches:
            yield from bundle_lines(plan, "tensorrt", batch, calls)


def guarded(
    about: Mapping[str, object], lines: Callable[..., Iterator[dict[str, Any]]], *arguments: Any
) -> Iterator[dict[str, Any]]:
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
) -> dict[str, Any]:
    """One line; `share` is the part of the card's own fp16 product rate that was reached."""
    p50, p99 = np.percentile(times, [50, 99])
    line: dict[str, Any] = dict(about)
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
