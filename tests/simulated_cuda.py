"""Run in Numba's CUDA simulator by test_tvl1_cuda.py, which needs a process of its own for that.

    NUMBA_ENABLE_CUDASIM=1 python tests/simulated_cuda.py [tvl1 | tokens]

Prints the largest difference from the CPU's answer, as one JSON number per case.
"""

import json
import sys

import numpy as np

from microau.engine import tvl1, tvl1_cuda
from microau.engine.tokens import gather_tokens, landmark_table, unit_tokens
from microau.engine.tokens_cuda import gather_tokens_cuda, unit_tokens_cuda
from microau.engine.tvl1 import Tvl1, tvl1_batch
from microau.engine.tvl1_cuda import Tvl1Cuda


def smooth_pairs(shape, seed):
    """Random pictures and the same with a different random part added: a movement of about 1 px."""
    rng = np.random.default_rng(seed)
    onsets = smooth(rng.uniform(0, 255, shape), 4)
    return onsets, smooth(onsets + rng.normal(0, 20, shape), 2)


def smooth(pictures, times):
    """The binomial filter 1 2 1 both ways, some times over, around the borders; NumPy alone."""
    for _ in range(times):
        for axis in (1, 2):
            pictures = (2 * pictures + np.roll(pictures, 1, axis) + np.roll(pictures, -1, axis)) / 4
    return pictures.astype(np.float32)


def flow_difference(shape, params):
    onsets, apexes = smooth_pairs(shape, 0)
    expected = tvl1_batch(onsets, apexes, params)
    found = Tvl1Cuda(*shape, params)(onsets, apexes).copy_to_host()
    assert abs(expected).max() > 0.1, "nothing moves: the comparison would prove nothing"
    return float(abs(found - expected).max())


def tvl1_cases():
    yield flow_difference((2, 10, 9), Tvl1(warps=2, iterations=3, radius=1))  # batch, several tiles
    yield flow_difference((1, 7, 8), Tvl1(warps=2, iterations=5, radius=2))  # one tile, no margin
    tvl1.SMALLEST = tvl1_cuda.SMALLEST = 6  # so that two levels, one of odd size, fit into few blocks
    yield flow_difference((1, 13, 12), Tvl1(levels=2, warps=2, iterations=3, radius=1))
    yield flow_difference((1, 13, 12), Tvl1(levels=2, finest=1, warps=1, iterations=2, radius=1))


def tokens_cases():
    rng = np.random.default_rng(0)
    table = landmark_table([[19, 20, 21], [48, 54], [7]])
    faces = rng.uniform(-9, 240, (3, 68, 2)).astype(np.float32)
    tokens = rng.normal(size=(3, 49, 6)).astype(np.float32)
    indices, mask = unit_tokens(faces, table, (224, 224), (7, 7))
    found = unit_tokens_cuda(faces, table, (224, 224), (7, 7))
    yield float(abs(found.copy_to_host() - np.where(mask, indices, -1)).max())
    gathered = gather_tokens_cuda(tokens, found).copy_to_host()
    yield float(abs(gathered - gather_tokens(tokens, indices, mask)).max())


if __name__ == "__main__":
    cases = {"tvl1": tvl1_cases, "tokens": tokens_cases}[sys.argv[1]]
    print(json.dumps(list(cases())))
