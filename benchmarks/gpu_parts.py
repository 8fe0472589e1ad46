"""The parts of `gpu.py`: what is measured, each as lines of a dict.

TV-L1 is set against the bytes and operations that its kernels move and do by their own design, and first
compared with the CPU's flow on the same pairs; the event path from crops in page-locked memory to the
model's outputs on the host.
"""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import torch
from gpu_models import INPUTS, ROOT, ceilings, import_project, lacks, lines_of_models, machine, times_ms
from gpu_networks import Default

Line = dict[str, Any]
FLOAT = 4
"""Bytes of a float32."""
BOX_OPERATIONS, HALVE_OPERATIONS, WARP_OPERATIONS, ITERATION_OPERATIONS = 18, 54, 80, 57
"""Per pixel, counted in `tvl1_formulas` and the kernels: a multiply-add is two."""


@dataclass(frozen=True)
class Setting:
    """Sizes of a run."""

    device: torch.device
    calls: int
    size: int = 224
    batches: tuple[int, ...] = (1, 8, 64)
    model_batches: tuple[int, ...] = (1, 8, 64, 256)
    inputs: int = INPUTS
    gathering: tuple[int, ...] = (64, 16, 6, 784, 128)
    """Faces, action units, landmarks of a unit, tokens and their width."""
    dry: bool = False

    @classmethod
    def dry_run(cls) -> Setting:
        return cls(torch.device("cpu"), 2, 12, (2,), (2,), 2, (2, 3, 2, 9, 4), dry=True)


def measure(part: str, calls: int, dry: bool) -> Iterator[Line]:
    """The lines of one part."""
    if not dry and not torch.cuda.is_available():
        raise SystemExit(f"torch {torch.__version__} finds no GPU; --dry-run needs none")
    import_project()
    setting = Setting.dry_run() if dry else Setting(torch.device("cuda"), calls)
    torch.zeros(1, device=setting.device)  # the card's context is this thread's from here on
    for line in PARTS[part](setting):
        yield line | machine(setting.device)


def card(setting: Setting) -> Iterator[Line]:
    """Versions, then copy and product ceilings."""
    yield {"what": "versions", "python": platform.python_version()} | versions()
    yield {"what": "ceilings"} | {n: round(v, 3) for n, v in ceilings(setting.device).items()}


def versions() -> dict[str, str]:
    """Of the packages that matter, '' where one is missing."""
    found = {}
    for name in (
        "torch",
        "numba",
        "numba-cuda",
        "numpy",
        "triton",
        "onnxruntime-gpu",
        "tensorrt",
        "tensorrt-rtx",
    ):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found


def flow(setting: Setting) -> Iterator[Line]:
    """TV-L1 at each batch, launch by launch and as a recorded graph."""
    best = ceilings(setting.device)["copy_tb_s"]
    yield {"what": "tvl1 against the CPU", "pairs": 2, "largest_difference_px": agreement(setting)}
    for batch in setting.batches:
        yield from _guarded(f"tvl1, batch {batch}", tvl1_lines, setting, batch, best)


def tvl1_lines(setting: Setting, batch: int, best: float) -> Iterator[Line]:
    from microau.engine.tvl1_cuda import Tvl1Cuda

    size, place = setting.size, setting.device
    pairs = [random_pairs(batch, size, seed) for seed in range(setting.inputs)]
    given = [tuple(_on(side, place) for side in pair) for pair in pairs]
    solver, out = Tvl1Cuda(batch, size, size, _params(setting)), _room((batch, size, size, 2), place)
    times = times_ms(lambda n: solver(*given[n % len(given)], out), setting.calls, place)
    yield _flow_line("tvl1", batch, times, solver, setting, best)
    if setting.dry:
        return
    from microau.engine.cuda_driver import Stream
    from microau.engine.cuda_record import record
    from microau.engine.numba_cuda import cuda

    stream = Stream()
    held = [torch.empty_like(side) for side in given[0]]
    solver = Tvl1Cuda(batch, size, size, _params(setting), cuda.external_stream(stream.address))
    with torch.cuda.stream(torch.cuda.ExternalStream(stream.address)):
        graph = record(lambda: solver(*held, out), stream)

        def call(number: int) -> None:
            for kept, fresh in zip(held, given[number % len(given)], strict=True):
                kept.copy_(fresh)
            graph.launch(stream)

        times = times_ms(call, setting.calls, place)
    yield _flow_line("tvl1 as a graph", batch, times, solver, setting, best)


def _flow_line(
    what: str, batch: int, times: np.ndarray, solver: Any, setting: Setting, best: float
) -> Line:
    moved, done = work(batch, setting.size, solver.params)
    p50 = float(np.median(times))
    return {
        **timing(what, [batch, setting.size, setting.size], times),
        "ms_per_pair": round(p50 / batch, 4), "pairs_s": round(1e3 * batch / p50),
        "mb_per_pair": round(moved / batch / 1e6, 2), "gflop_per_pair": round(done / batch / 1e9, 3),
        "tb_s": round(moved / p50 / 1e9, 3), "tflop_s": round(done / p50 / 1e9, 2),
        "share_of_copy": round(moved / p50 / 1e9 / best, 3),
    }  # fmt: skip


def event(setting: Setting) -> Iterator[Line]:
    """Crops on the host to the model's outputs on the host: nothing between comes down."""
    for batch in setting.batches:
        for recorded in (False,) if setting.dry else (False, True):
            yield from _guarded(f"event, batch {batch}", event_lines, setting, batch, recorded)
    yield from _guarded("chain", chain_lines, setting)


def chain_lines(setting: Setting) -> Iterator[Line]:
    """What `--device cuda` runs, with the shipped bundle in ONNX Runtime; on the CPU in a dry run."""
    if lacking := "" if setting.dry else lacks("cuda"):
        yield {"what": "chain", "skipped": lacking}
        return
    from microau.engine.chain import LARGEST, open_chain
    from microau.engine.flow_spec import RUNTIME

    chain = open_chain(ROOT / "engine" / "assets" / "default.onnx", setting.device.type)
    for batch in (1, LARGEST):
        points, made = _faces(batch, RUNTIME), []
        for seed in range(4):
            onsets, apexes = random_pairs(batch, RUNTIME.crop, seed)
            made.append({"onset": onsets, "apex": apexes, "points": points})
        times = times_ms(lambda n, made=made: chain(made[n % 4]), setting.calls, torch.device("cpu"))
        line = timing(f"chain on {setting.device.type}", [batch, RUNTIME.crop, RUNTIME.crop], times)
        yield line | {"events_s": round(1e3 * batch / float(np.median(times)))}
    chain.close()


def event_lines(setting: Setting, batch: int, recorded: bool) -> Iterator[Line]:
    """Flow, head motion, image and landmarks by our kernels, the model by torch's recorded graph."""
    from microau.engine.facial_flow_cuda import FacialFlowCuda
    from microau.engine.numba_cuda import cuda
    from microau.engine.torch_graphs import TorchGraphs

    module, spec = Default(), event_spec(setting)
    stream = 0
    if not setting.dry:
        from microau.engine.cuda_driver import Stream

        own = Stream()
        stream = cuda.external_stream(own.address)
    chain = FacialFlowCuda(batch, spec, module.model.layout.landmarks, stream)
    graphs = TorchGraphs(module, module.shapes, [batch], setting.device)
    pairs = [random_pairs(batch, setting.size, seed) for seed in range(setting.inputs)]
    points = _faces(batch, spec)
    chain(*pairs[0], points)
    yield {"what": "event against the CPU", "batch": batch} | event_agreement(chain, pairs[0], points, spec)
    run = chain.queue
    if recorded:
        from microau.engine.cuda_record import record

        graph = record(chain.queue, own)
        run = lambda: graph.launch(own)  # noqa: E731

    def call(number: int) -> None:
        chain.send(*pairs[number % len(pairs)], points)
        run()
        chain.moved()  # waits: the inputs are there
        if setting.dry:
            return
        for output in graphs({"flow": chain.image, "landmarks": chain.landmarks}):
            output.cpu()

    times = times_ms(
        call, setting.calls, torch.device("cpu")
    )  # by the clock: it begins and ends on the host
    p50 = float(np.median(times))
    what = "event as a graph" if recorded else "event"
    yield timing(what, [batch, setting.size, setting.size], times) | {
        "ms_per_event": round(p50 / batch, 4), "events_s": round(1e3 * batch / p50),
    }  # fmt: skip


def event_spec(setting: Setting) -> Any:
    """The runtime's flow, or a tiny one."""
    from microau.engine.flow_spec import RUNTIME, FlowSpec

    if not setting.dry:
        return RUNTIME
    tiny = {"levels": 1, "warps": 1, "iterations": 2, "radius": 1}
    return FlowSpec(setting.size, setting.size / 2, 4.0, "tvl1", tiny, size=setting.size // 2)


def event_agreement(chain: Any, pair: Any, points: np.ndarray, spec: Any) -> Line:
    """Largest differences from the CPU in the flow without head motion; in single pixels of the crop."""
    from microau.engine.rigid import remove_rigid
    from microau.engine.tvl1 import Tvl1, tvl1_batch

    chain.wait()
    raw = tvl1_batch(*(side[:2] for side in pair), Tvl1(**spec.parameters))
    wanted = np.stack([remove_rigid(flow, face) for flow, face in zip(raw, points, strict=False)])
    found = chain.flow.copy_to_host()[: len(wanted)]
    return {"largest_difference_px": float(abs(found - wanted).max()), "of_px": float(abs(wanted).max())}


def gathering(setting: Setting) -> Iterator[Line]:
    """Landmarks to token numbers, and the tokens themselves, against torch's indexing."""
    from microau.engine.cuda_record import Recorder
    from microau.engine.tokens_cuda import gather_tokens_cuda, unit_tokens_cuda

    number, units, length, tokens, width = setting.gathering
    grid, frame, place = (int(tokens**0.5),) * 2, (224, 224), setting.device
    points, features, table = _tokens_and_faces(setting)
    numbers = unit_tokens_cuda(points[0], table, frame, grid)
    indices = torch.as_tensor(numbers.copy_to_host(), device=place)
    rows = torch.arange(number, device=place)[:, None, None]
    in_torch = [torch.as_tensor(feature, device=place) for feature in features]
    out, recorder = _room((number, units, length, width), place), Recorder()
    gather_tokens_cuda(features[0], numbers, out=out)
    same = bool((torch.as_tensor(out) == in_torch[0][rows, indices]).all())

    def both() -> None:
        for landmarks, feature in zip(points, features, strict=True):
            unit_tokens_cuda(landmarks, table, frame, grid, out=numbers, stream=recorder.stream)
            gather_tokens_cuda(feature, numbers, out=out, stream=recorder.stream)

    with _on_stream(recorder.address):  # Numba waits for the stream that torch's tensors are used on
        recorded = recorder.record(both)
    moved = 2 * FLOAT * number * units * length * width
    count = setting.inputs
    for what, call, turns, stream in (
        ("gathering, launched", lambda n: gather_tokens_cuda(features[n % count], numbers, out=out), 1, 0),
        ("gathering by torch", lambda n: in_torch[n % count][rows, indices], 1, 0),
        ("token numbers and gathering as a graph", lambda _: recorded(), count, recorder.address),
    ):
        with _on_stream(stream):
            times = times_ms(call, setting.calls, place) / turns
        line = timing(what, list(setting.gathering), times)
        yield line | {"equals_torch": same, "tb_s": round(moved / float(np.median(times)) / 1e9, 3)}


def _tokens_and_faces(setting: Setting) -> tuple[list[Any], list[Any], Any]:
    """Landmarks and tokens of several batches, and the units' landmark numbers, on the card."""
    number, units, length, tokens, width = setting.gathering
    rng, place = np.random.default_rng(0), setting.device
    points = [rng.uniform(0, 224, (number, 478, 2)) for _ in range(setting.inputs)]
    features = [rng.normal(size=(number, tokens, width)) for _ in range(setting.inputs)]
    points, features = ([_on(x.astype(np.float32), place) for x in some] for some in (points, features))
    return points, features, _on(rng.integers(0, 478, (units, length)), place)


def _on_stream(address: int) -> Any:
    """Within, torch's marks are set on this stream; 0 is the default one."""
    if not address:
        return contextlib.nullcontext()
    return torch.cuda.stream(torch.cuda.ExternalStream(address))


def models(setting: Setting) -> Iterator[Line]:
    """The models in every back end that is there."""
    yield from lines_of_models(setting.device, setting.model_batches, setting.calls)


PARTS: dict[str, Callable[[Setting], Iterator[Line]]] = {
    "card": card, "flow": flow, "event": event, "gathering": gathering, "models": models,
}  # fmt: skip


def _guarded(what: str, lines: Callable[..., Iterator[Line]], *arguments: Any) -> Iterator[Line]:
    """The lines; an error becomes one, and the next batch is tried. A broken context ends the part."""
    try:
        yield from lines(*arguments)
    except Exception as error:
        yield {"what": what, "error": f"{type(error).__name__}: {error}"[:400]}
        if arguments[0].device.type == "cuda":
            torch.cuda.synchronize()


def _on(array: np.ndarray, device: torch.device) -> Any:
    """On the card; in the simulator an array of the host is as good."""
    return torch.as_tensor(array, device=device) if device.type == "cuda" else array


def _room(shape: tuple[int, ...], device: torch.device) -> Any:
    return torch.empty(shape, device=device) if device.type == "cuda" else np.empty(shape, np.float32)


def _params(setting: Setting) -> Any:
    from microau.engine.tvl1 import Tvl1

    return Tvl1(levels=1, warps=1, iterations=2, radius=1) if setting.dry else Tvl1()


def agreement(setting: Setting) -> float:
    """Largest difference in pixels between CUDA and CPU on two pairs."""
    from microau.engine.tvl1 import tvl1_batch
    from microau.engine.tvl1_cuda import Tvl1Cuda

    onsets, apexes = random_pairs(2, setting.size, 99)
    given = (_on(side, setting.device) for side in (onsets, apexes))
    found = Tvl1Cuda(2, setting.size, setting.size, _params(setting))(*given).copy_to_host()
    return float(abs(found - tvl1_batch(onsets, apexes, _params(setting))).max())


def random_pairs(batch: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Smooth random pictures and the same moved by up to 2 px, (B, H, W) uint8."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.fft2(rng.standard_normal((batch, size, size)))
    y, x = np.meshgrid(*[np.fft.fftfreq(size)] * 2, indexing="ij")
    spectrum *= np.exp(-60 * (x**2 + y**2))
    dx, dy = rng.uniform(-2, 2, (2, batch, 1, 1))
    sides = (spectrum, spectrum * np.exp(-2j * np.pi * (dx * x + dy * y)))
    onsets, apexes = (np.fft.ifft2(side).real for side in sides)
    scale = 40 / onsets.std()
    onsets, apexes = (np.clip(128 + scale * side, 0, 255).astype(np.uint8) for side in (onsets, apexes))
    return onsets, apexes


def _faces(count: int, spec: Any) -> np.ndarray:
    """Average faces (count, 478, 3) in the crop, trembling."""
    from microau.engine.landmarks import CANONICAL
    from microau.engine.registration import LEFT_EYE, RIGHT_EYE

    face = np.concatenate([np.asarray(CANONICAL, np.float64), np.zeros((10, 3))]) * (1, -1, -1)
    eyes = face[[RIGHT_EYE, LEFT_EYE]]
    face = (face - eyes.mean(axis=0)) * spec.crop_oed / np.linalg.norm(eyes[1] - eyes[0])
    face += np.array([spec.crop / 2, spec.eye_row, 0])
    return (face + np.random.default_rng(0).normal(0, 0.3, (count, 478, 3))).astype(np.float32)


def work(batch: int, size: int, params: Any) -> tuple[float, float]:
    """Bytes that all launches load and store, margins included, and operations, of one call."""
    from microau.engine.tvl1 import SMALLEST
    from microau.engine.tvl1_cuda import STEPS_PER_LAUNCH
    from microau.engine.tvl1_cuda_kernels import TILE
    from microau.engine.tvl1_pyramid import level_sizes

    moved = done = 0.0
    for h, w in level_sizes(size, size, params.levels, SMALLEST):
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


def timing(what: str, shape: list[int], times: np.ndarray) -> Line:
    """Median and p99."""
    p50, p99 = np.percentile(times, [50, 99])
    line = {"what": what, "shape": shape, "p50_ms": round(float(p50), 4), "p99_ms": round(float(p99), 4)}
    return line | {"calls": len(times)}
