"""CUDA's flow and gathering equal the CPU's: in Numba's simulator anywhere, on a device where there is one.

The kernels are also put through the real compiler for three generations of GPUs where numba-cuda and
its compiler are installed; that takes no device.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import boolean, cuda, float32, int64, uint8
from simulated_cuda import smooth_pairs

from microau.engine import tokens_cuda
from microau.engine import tvl1_cuda_kernels as tvl1_kernels
from microau.engine.errors import MicroauError
from microau.engine.tokens import gather_tokens, landmark_table, unit_tokens
from microau.engine.tokens_cuda import gather_tokens_cuda, unit_tokens_cuda
from microau.engine.tvl1 import Tvl1, tvl1, tvl1_batch
from microau.engine.tvl1_cuda import Tvl1Cuda

HERE = Path(__file__).parent
NEAR = 1e-3
"""Pixels by which CPU and CUDA may differ: the order of their sums is not the same."""

on_device = pytest.mark.skipif(not cuda.is_available(), reason="no CUDA device")
no_device = pytest.mark.skipif(cuda.is_available(), reason="there is a CUDA device")


def simulate(what):
    """Largest differences from the CPU; a process of its own, as Numba chooses the simulator at import."""
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    command = [sys.executable, str(HERE / "simulated_cuda.py"), what]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_simulated_flow_is_the_cpu_flow():
    assert max(simulate("tvl1")) < NEAR


def test_simulated_gathering_is_the_cpu_gathering():
    assert simulate("tokens") == [0, 0]


def test_importing_it_loads_none_of_the_heavy_packages():
    code = "import sys, microau.engine.tvl1_cuda, microau.engine.tokens_cuda; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"cv2", "av", "onnxruntime", "torch", "skimage"} & set(done.stdout.split())


def test_numba_cuda_loads_where_numpy_has_a_name_less_and_leaves_none_behind():
    pytest.importorskip("numba_cuda", reason="numba-cuda is not installed")
    code = """
import sys, numpy as np
if hasattr(np, "row_stack"): del np.row_stack
from microau.engine import tvl1_cuda_kernels
print("numba.cuda.np.arrayobj" in sys.modules, "row_stack" in vars(np))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


@no_device
def test_without_a_device_it_says_so():
    with pytest.raises(MicroauError, match="no CUDA device"):
        Tvl1Cuda(1, 32, 32)


@pytest.mark.gpu
@on_device
@pytest.mark.parametrize(
    "shape",
    [(1, 224, 224), (8, 224, 224), (64, 224, 224), (3, 37, 61), (2, 256, 320), (1, 20, 9)],
)
def test_flow_is_the_cpu_flow(shape):
    onsets, apexes = smooth_pairs(shape, shape[2])
    found = Tvl1Cuda(*shape)(cuda.to_device(onsets), cuda.to_device(apexes)).copy_to_host()
    np.testing.assert_allclose(found, tvl1_batch(onsets, apexes, threads=4), atol=NEAR)


@pytest.mark.gpu
@on_device
@pytest.mark.parametrize("seed", range(20))
def test_flow_is_the_cpu_flow_at_any_setting(seed):
    rng = np.random.default_rng(seed)
    params = Tvl1(
        levels=int(rng.integers(1, 6)), finest=int(rng.integers(0, 2)), warps=int(rng.integers(1, 5)),
        iterations=int(rng.integers(1, 40)), data_weight=rng.uniform(1, 8), noise=rng.uniform(0.02, 0.3),
        huber=rng.uniform(0, 0.3), radius=int(rng.integers(1, 13)), contrast=rng.uniform(5, 40),
    )  # fmt: skip
    shape = tuple(int(n) for n in rng.integers([1, 16, 16], [5, 250, 250]))
    onsets, apexes = smooth_pairs(shape, seed)
    found = Tvl1Cuda(*shape, params)(cuda.to_device(onsets), cuda.to_device(apexes)).copy_to_host()
    wanted = tvl1_batch(onsets, apexes, params, threads=4)
    # In pair 7 rounding decides between two solutions; everywhere only what is certain is compared.
    changes = (rng.uniform(-1e-5, 1e-5, shape).astype(np.float32) for _ in range(2))
    others = [tvl1_batch(onsets + change, apexes, params, threads=4) for change in changes]
    sure = np.max([abs(other - wanted).max(-1) for other in others], axis=0) < NEAR / 30
    assert sure.mean() > (0.7 if seed == 7 else 0.94)
    np.testing.assert_allclose(found[sure], wanted[sure], atol=NEAR)


@pytest.mark.gpu
@on_device
def test_buffers_keep_nothing_from_call_to_call():
    onsets, apexes = (cuda.to_device(x) for x in smooth_pairs((4, 96, 80), 0))
    solver = Tvl1Cuda(4, 96, 80)
    first = solver(onsets, apexes).copy_to_host()
    solver(apexes, onsets)
    np.testing.assert_array_equal(solver(onsets, apexes).copy_to_host(), first)


@pytest.mark.gpu
@on_device
def test_takes_and_fills_torch_tensors_where_they_lie():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("this torch has no CUDA")
    onset, apex = (x.clip(0, 255).astype(np.uint8) for x in smooth_pairs((2, 64, 64), 0))
    out = torch.empty((2, 64, 64, 2), device="cuda")
    Tvl1Cuda(2, 64, 64)(torch.as_tensor(onset, device="cuda"), torch.as_tensor(apex, device="cuda"), out)
    cuda.synchronize()
    expected = np.stack([tvl1(a, b) for a, b in zip(onset, apex, strict=True)])
    np.testing.assert_allclose(out.cpu().numpy(), expected, atol=NEAR)


@pytest.mark.gpu
@on_device
@pytest.mark.parametrize("seed", range(10))
def test_gathering_is_the_cpu_gathering(seed):
    rng = np.random.default_rng(seed)
    side, width, batch = int(rng.integers(1, 29)), int(rng.integers(1, 600)), int(rng.integers(1, 300))
    table = landmark_table([rng.integers(0, 478, rng.integers(1, 9)).tolist() for _ in range(12)])
    faces = rng.uniform(-9, 240, (batch, 478, 2)).astype(np.float32)
    tokens = rng.normal(size=(batch, side * side, width)).astype(np.float32)
    indices, mask = unit_tokens(faces, table, (224, 224), (side, side))
    found = unit_tokens_cuda(cuda.to_device(faces), cuda.to_device(table), (224, 224), (side, side))
    np.testing.assert_array_equal(found.copy_to_host(), np.where(mask, indices, -1))
    gathered = gather_tokens_cuda(cuda.to_device(tokens), found).copy_to_host()
    np.testing.assert_array_equal(gathered, gather_tokens(tokens, indices, mask))


PLANE, PICTURES, STATE = float32[::1], float32[:, :, ::1], float32[:, :, :, ::1]
NUMBERS = int64[:, :, ::1]
SIGNATURES = {
    tvl1_kernels.load: (uint8[:, :, ::1], PICTURES, int64),
    tvl1_kernels.halve: (PICTURES, PICTURES),
    tvl1_kernels.blur: (PICTURES, int64, PICTURES),
    tvl1_kernels.centre: (PICTURES, PICTURES, int64, PICTURES),
    tvl1_kernels.normalise: (PICTURES, int64, float32, PICTURES),
    tvl1_kernels.begin: (STATE, boolean, STATE),
    tvl1_kernels.warp: (PICTURES, STATE, STATE, STATE, int64, int64, PLANE),
    tvl1_kernels.iterate: (STATE, STATE, STATE, int64, int64, PLANE),
    tvl1_kernels.export: (STATE, STATE),
    tokens_cuda._unit_indices: (PICTURES, int64[:, ::1], float32, float32, int64, int64, NUMBERS),
    tokens_cuda._gather: (PICTURES, NUMBERS, STATE),
}


@pytest.mark.parametrize("capability", [(7, 5), (8, 6), (9, 0)])
@pytest.mark.parametrize("kernel", SIGNATURES, ids=lambda kernel: kernel.py_func.__name__)
def test_compiles_without_double_precision(kernel, capability):
    pytest.importorskip("numba_cuda", reason="numba-cuda is not installed")
    pytest.importorskip("nvidia", reason="no CUDA compiler is installed: numba-cuda[cu13]")
    ptx, _ = cuda.compile_ptx(kernel.py_func, SIGNATURES[kernel], cc=capability, fastmath=True)
    assert f".target sm_{capability[0]}{capability[1]}" in ptx
    assert ".f64" not in ptx
    assert ".local" not in ptx


@pytest.mark.parametrize("capability", [(7, 5), (8, 6), (9, 0)])
@pytest.mark.parametrize(
    "kernel",
    [k for k in SIGNATURES if k.py_func.__module__.endswith("kernels")],
    ids=lambda k: k.py_func.__name__,
)
def test_a_block_finds_enough_registers_and_shared_memory(kernel, capability):
    """Else a launch fails on that generation, and nothing before says so."""
    pytest.importorskip("numba_cuda", reason="numba-cuda is not installed")
    core = pytest.importorskip("cuda.core", reason="cuda-core is not installed: numba-cuda[cu13]")
    ptx, _ = cuda.compile_ptx(kernel.py_func, SIGNATURES[kernel], cc=capability, fastmath=True)
    options = core.LinkerOptions(
        arch=f"sm_{capability[0]}{capability[1]}",
        max_register_count=kernel.targetoptions["max_registers"],
        verbose=True,
        ptxas_options=["-v"],
    )
    linker = core.Linker(core.ObjectCode.from_ptx(ptx.encode()), options=options)
    linker.link("cubin")
    said = linker.get_info_log()
    threads = tvl1_kernels.TILE**2
    assert int(re.search(r"Used (\d+) registers", said)[1]) * threads <= 65536
    shared = re.search(r"(\d+) bytes smem", said)
    assert shared is None or int(shared[1]) <= 48 << 10
