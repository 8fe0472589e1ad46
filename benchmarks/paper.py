"""What a training step of the paper's model costs, with the frozen layers kept or computed. One JSON line.

    OMP_NUM_THREADS=1 python benchmarks/paper.py [--steps 5] [--batch 8] [--device cpu] [--threads 1]

Micro-AU CLIP on ViT-B/32, CASME II's eight units, random weights (they cost what trained ones cost), random
inputs. A step is forward, backward and SGD; kept and computed ones take turns, so that a busy machine slows
both alike, and the median is told. `text_*`: what reading the sentences anew costs, cut after the longest
one, and at CLIP's 77 places. On a CPU the processor time of the process is counted, not the clock's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from statistics import median

import torch

from microau.training.paper import (
    CASME2_UNITS,
    PaperModel,
    PaperOptions,
    paper_layout,
    paper_loss,
    paper_model,
    parameter_groups,
)
from microau.training.prompts import state_sentences
from microau.training.towers.library import open_clip


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = paper_model(PaperOptions(pretrained="random"), paper_layout(CASME2_UNITS)).to(args.device)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    about = {"benchmark": "paper", "device": args.device, "threads": args.threads, "machine": machine}
    sizes = {name: sum(p.numel() for p in parts) for name, parts in parameters(model).items()}
    print(json.dumps(about | {"batch": args.batch} | sizes | measure(model, args.batch, args.steps)))


def parameters(model: PaperModel) -> dict[str, list[torch.nn.Parameter]]:
    """All, and what is trained of the towers and of the rest."""
    groups = {f"parameters_{g['name']}": g["params"] for g in parameter_groups(model)}
    return {"parameters": list(model.parameters()), **groups}


def measure(model: PaperModel, batch: int, steps: int) -> dict[str, float]:
    """Milliseconds of each kind of work, in turns."""
    device = model.log_scale.device
    image = torch.randn((batch, 3, 224, 224), device=device)
    landmarks = torch.rand((batch, len(model.layout.landmarks), 2), device=device) * 224
    labels = torch.randint(0, 2, (batch, len(model.layout.aus)), device=device)
    hidden = model.frozen(image)
    optimiser = torch.optim.SGD(parameter_groups(model), momentum=0.9)
    texts = [text for pair in state_sentences(model.layout.aus) for text in pair]
    full = open_clip().tokenize(texts).to(device)  # (16, 77)

    def step(make: Callable[[], torch.Tensor]) -> None:
        optimiser.zero_grad()
        paper_loss(model, model.from_frozen(make(), landmarks), labels)["total"].backward()
        optimiser.step()

    kinds: dict[str, Callable[[], object]] = {
        "frozen_ms": lambda: model.frozen(image),
        "step_kept_ms": lambda: step(lambda: hidden),
        "step_computed_ms": lambda: step(lambda: model.frozen(image)),
        "text_kept_ms": lambda: model.text_features().sum().backward(),
        "text_77_ms": lambda: model.text.tuned(model.text.frozen(full), full.argmax(-1)).sum().backward(),
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(steps + 1):
        for name, work in kinds.items():
            spent = timed(work, device)
            if turn:  # the first turn warms up
                times[name].append(spent)
    result = {name: round(1000 * median(values), 1) for name, values in times.items()}
    for kind in ("kept", "computed"):
        result[f"samples_per_s_{kind}"] = round(1000 * batch / result[f"step_{kind}_ms"], 2)
    return result


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds: of the processor on a CPU, of the clock on a GPU."""
    if device.type == "cpu":
        start = time.process_time()
        work()
        return time.process_time() - start
    torch.cuda.synchronize(device)
    start = time.perf_counter()
    work()
    torch.cuda.synchronize(device)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
