"""Everything on a GPU in one run: the card's ceilings, TV-L1, token gathering, then the models.

    python benchmarks/gpu.py [--batches 1 8 64] [--parts card flow gathering models]

One JSON line per measurement: median and p99 in milliseconds by CUDA events, on inputs that change
from call to call and lie on the card. TV-L1 is set against the bytes and operations that its kernels
move and do by their own design, and first compared with the CPU's flow on the same pairs.

Needs torch, NumPy, Numba and numba-cuda alone, and no installation (`gpu_models.py`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_models import INPUTS, ceilings, import_project, machine, times_ms

Limits = dict[str, float]
Lines = Iterator[dict[str, Any]]

SIZE = 224
SAMPLES = 64, 16, 6, 784, 128
"""Faces, action units, landmarks of a unit, tokens and their width, for gathering."""

FLOAT = 4
"""Bytes of a float32."""
BOX_OPERATIONS, HALVE_OPERATIONS, WARP_OPERATIONS, ITERATION_OPERATIONS = 60, 54, 80, 57
"""Per pixel, counted in `tvl1_formulas` and the kernels: a multiply-add is two."""


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    args = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit(f"torch {torch.__version__} finds no GPU")
    import_project()
    device = torch.device("cuda")
    best = ceilings(device)
    for part in args.parts:
        for line in PARTS[part](args.batches, args.calls, device, best):
            print(json.dumps(line | machine(device)), flush=True)


def card(batches: list[int], calls: int, device: torch.device, best: Limits) -> Lines:
    """Copy and product ceilings."""
    yield {"what": "ceilings", **{name: round(value, 3) for name, value in best.items()}}


def flow(batches: list[int], calls: int, device: torch.device, best: Limits) -> Lines:
    """TV-L1 at each batch."""
    from microau.engine.tvl1_cuda import Tvl1Cuda

    yield {"what": "tvl1 against the CPU", "pairs": 4, "largest_difference_px": agreement()}
    for batch in batches:
        solver = Tvl1Cuda(batch, SIZE, SIZE)
        pairs = [random_pairs(batch, seed) for seed in range(INPUTS)]
        given = [tuple(torch.as_tensor(side, device=device) for side in pair) for pair in pairs]
        out = torch.empty((batch, SIZE, SIZE, 2), device=device)
        times = times_ms(lambda n, s=solver, g=given, o=out: s(*g[n % INPUTS], o), calls, device)
        moved, done = work(batch, solver.params)
        p50 = float(np.median(times))
        yield {
            **timing("tvl1", [batch, SIZE, SIZE], times),
            "ms_per_pair": round(p50 / batch, 4), "pairs_s": round(1e3 * batch / p50),
            "mb_per_pair": round(moved / batch / 1e6, 2), "gflop_per_pair": round(done / batch / 1e9, 3),
            "tb_s": round(moved / p50 / 1e9, 3), "tflop_s": round(done / p50 / 1e9, 2),
            "share_of_copy": round(moved / p50 / 1e9 / best["copy_tb_s"], 3),
        }  # fmt: skip


def gathering(
    batches: list[int], calls: int, device: torch.device, best: dict[str, float]
) -> Iterator[Any]:
    """Landmarks to token numbers, and the tokens themselves, against torch's indexing."""
    from microau.engine.tokens_cuda import gather_tokens_cuda, unit_tokens_cuda

    faces, units, length, tokens, width = SAMPLES
    side = int(tokens**0.5)
    points = [torch.rand((faces, 478, 2), device=device) * SIZE for _ in range(INPUTS)]
    table = torch.randint(0, 478, (units, length), device=device)
    features = [torch.randn((faces, tokens, width), device=device) for _ in range(INPUTS)]
    numbers = unit_tokens_cuda(points[0], table, (SIZE, SIZE), (side, side))
    indices = torch.as_tensor(numbers, device=device)
    out = torch.empty((faces, units, length, width), device=device)
    rows = torch.arange(faces, device=device)[:, None, None]
    same = bool(
        (gather_tokens_cuda(features[0], numbers, out) is out) and (out == features[0][rows, indices]).all()
    )
    bytes_moved = 2 * FLOAT * out.numel()
    for what, call in {
        "token numbers": lambda n: unit_tokens_cuda(points[n % INPUTS], table, (SIZE, SIZE), (side, side)),
        "gathering": lambda n: gather_tokens_cuda(features[n % INPUTS], numbers, out),
        "gathering by torch": lambda n: features[n % INPUTS][rows, indices],
    }.items():
        times = times_ms(call, calls, device)
        line = timing(what, list(SAMPLES), times)
        yield line | {"equals_torch": same, "tb_s": round(bytes_moved / float(np.median(times)) / 1e9, 3)}


def models(batches: list[int], calls: int, device: torch.device, best: Limits) -> Lines:
    """The models print their own lines."""
    script = str(Path(__file__).with_name("gpu_models.py"))
    subprocess.run([sys.executable, script, "--calls", str(calls)], check=True)
    yield from ()


PARTS: dict[str, Callable[[list[int], int, torch.device, Limits], Lines]] = {
    "card": card,
    "flow": flow,
    "gathering": gathering,
    "models": models,
}


def agreement() -> float:
    """Largest difference in pixels between CUDA and CPU on four pairs."""
    from microau.engine.tvl1 import tvl1_batch
    from microau.engine.tvl1_cuda import Tvl1Cuda

    onsets, apexes = random_pairs(4, 99)
    given = (torch.as_tensor(side, device="cuda") for side in (onsets, apexes))
    found = Tvl1Cuda(4, SIZE, SIZE)(*given).copy_to_host()
    return float(abs(found - tvl1_batch(onsets, apexes)).max())


def random_pairs(batch: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Smooth random pictures and the same moved by up to 2 px, (B, H, W) uint8."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.fft2(rng.standard_normal((batch, SIZE, SIZE)))
    y, x = np.meshgrid(*[np.fft.fftfreq(SIZE)] * 2, indexing="ij")
    spectrum *= np.exp(-60 * (x**2 + y**2))
    dx, dy = rng.uniform(-2, 2, (2, batch, 1, 1))
    sides = (spectrum, spectrum * np.exp(-2j * np.pi * (dx * x + dy * y)))
    onsets, apexes = (np.fft.ifft2(side).real for side in sides)
    scale = 40 / onsets.std()
    onsets, apexes = (np.clip(128 + scale * side, 0, 255).astype(np.uint8) for side in (onsets, apexes))
    return onsets, apexes


def work(batch: int, params: Any) -> tuple[float, float]:
    """Bytes that all launches load and store, margins included, and operations, of one call."""
    from microau.engine.tvl1 import SMALLEST
    from microau.engine.tvl1_cuda import STEPS_PER_LAUNCH
    from microau.engine.tvl1_cuda_kernels import TILE
    from microau.engine.tvl1_pyramid import level_sizes

    moved = done = 0.0
    for h, w in level_sizes(SIZE, SIZE, params.levels, SMALLEST):
        pixels = batch * h * w
        wide = (TILE / (TILE - 2 * params.radius)) ** 2
        moved += 2 * pixels * FLOAT * (3 * wide + 1 + 3 + 2)  # blur, centre, normalise, load or halve
        done += 2 * pixels * (3 * wide * BOX_OPERATIONS + HALVE_OPERATIONS)
        alone = max(h, w) <= TILE
        launches = 1 if alone else -(-params.iterations // STEPS_PER_LAUNCH)
        margin = 1.0 if alone else (TILE / (TILE - 2 * params.iterations / launches)) ** 2
        first, more = margin * (8 + 2) + 12, margin * 12 + 8
        moved += params.warps * pixels * FLOAT * (first + (launches - 1) * more)
        done += (
            params.warps * pixels * margin * (WARP_OPERATIONS + params.iterations * ITERATION_OPERATIONS)
        )
    return moved, done


def timing(what: str, shape: list[int], times: np.ndarray) -> dict[str, Any]:
    """Median and p99."""
    p50, p99 = np.percentile(times, [50, 99])
    line = {"what": what, "shape": shape, "p50_ms": round(float(p50), 4), "p99_ms": round(float(p99), 4)}
    return line | {"calls": len(times)}


if __name__ == "__main__":
    main()
