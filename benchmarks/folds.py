"""Samples per second of training Micro-AU CLIP with its frozen layers cached, and without. One JSON line.

    OMP_NUM_THREADS=1 python benchmarks/folds.py CACHE [--steps 6] [--device cpu]

CACHE is a folder that `microau-data prepare` wrote. Steps of batch 8: forward, backward, SGD; ViT-B/32 of
random weights (they cost what trained ones cost). 'frozen' is the once-per-sample cost that the cache has.
On a CPU the clock is this process's own time, so that other programs on the machine do not count.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
import torch

from microau.training.protocol.learner import Job, make_learner
from microau.training.protocol.network import Training
from microau.training.protocol.samples import read_samples
from microau.training.protocol.settings import Recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    clock = time.process_time if options.device == "cpu" else time.perf_counter
    samples = read_samples([options.cache], least=0)
    samples = samples.take(np.arange(min(len(samples), 8 * (options.steps + 1))))
    line = {"benchmark": "folds", "model": "ViT-B/32", "batch": 8, "steps": options.steps}
    for cached in (True, False):
        recipe = Recipe(frozen_cache=cached, device=options.device, threads=options.threads)
        learner = make_learner("paper", {"pretrained": "random"}, recipe)
        training = Training(learner, Job(samples, 1))
        if cached:
            line["frozen_samples_per_s"] = round(frozen_rate(training, samples, clock), 2)
        feed = learner.feed(training.model, samples)
        line["cached_samples_per_s" if cached else "uncached_samples_per_s"] = round(
            rate(training, feed, options.steps, clock), 2
        )
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    print(json.dumps(line | {"device": options.device, "threads": options.threads, "machine": machine}))


def rate(training: Training, feed, steps: int, clock) -> float:
    """Samples per second of training steps, the first one outside the clock."""
    training.model.train()
    spent = []
    for step in range(steps + 1):
        rows = np.arange(8 * step, 8 * step + 8) % len(training.labels)
        start = clock()
        training.step(feed(rows), rows)
        spent.append(clock() - start)
    return 8 / float(np.median(spent[1:]))


def frozen_rate(training: Training, samples, clock) -> float:
    """Samples per second of the frozen layers alone, one by one as the cache computes them."""
    images = torch.from_numpy(samples.images(range(8), 224)).to(training.recipe.device)
    spent = []
    for image in images:
        start = clock()
        training.model.frozen(image[None]).sum().item()
        spent.append(clock() - start)
    return 1 / float(np.median(spent[1:]))


if __name__ == "__main__":
    main()
