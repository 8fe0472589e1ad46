"""The chain on a GPU equals the chain on the CPU, and nothing leaves the device between its ends.

In Numba's simulator anywhere, at tiny sizes; at real sizes where there is a device. The kernels are also
put through the real compiler where numba-cuda is installed.
"""

from contextlib import closing

import numpy as np
import onnxruntime
import pytest
from commands import SAMPLE
from numba import cuda, float32, int32, int64
from simulated_cuda import smooth_pairs
from test_tvl1_cuda import NEAR, on_device, simulate

from microau.engine import facial_flow_cuda_kernels as kernels
from microau.engine.chain import CpuChain, CudaChain, open_chain
from microau.engine.describe import DEFAULT_BUNDLE
from microau.engine.errors import MicroauError
from microau.engine.explain import measure
from microau.engine.facial_flow import facial_flow
from microau.engine.facial_flow_cuda import FacialFlowCuda
from microau.engine.flow_image import flow_image
from microau.engine.flow_spec import RUNTIME
from microau.engine.inference import OUTPUTS, open_engine
from microau.engine.landmarks import CANONICAL
from microau.engine.registration import CROP, CROP_OED, EYE_ROW, LEFT_EYE, RIGHT_EYE
from microau.stream.cli import main


def test_simulated_chain_is_the_cpu_chain():
    motion, flow, image, moved, landmarks, more_up, down = simulate("chain")
    assert motion < 1e-5
    assert flow < NEAR
    assert image < NEAR
    assert moved < NEAR
    assert landmarks == 0
    assert more_up == 2 * 5 * 4  # besides crops and points: five numbers of each face
    assert down == 2 * 29 * 2 * 4  # how far the named points of each face went


def test_simulated_event_reads_its_inputs_where_they_lie():
    """Through ONNX Runtime's binding; a batch that is cut, and a part that is smaller than the first."""
    difference, more_up, down = simulate("event")
    assert difference < NEAR
    assert more_up == 3 * 5 * 4
    assert down == 3 * 29 * 2 * 4


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="onnxruntime-gpu is installed"
)
@pytest.mark.parametrize("device", ["cuda", "tensorrt:1"])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(MicroauError, match=r"has no (CUDA|Tensorrt)ExecutionProvider"):
        open_chain(DEFAULT_BUNDLE, device)


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="onnxruntime-gpu is installed"
)
def test_the_command_says_so_in_one_line_and_writes_nothing(tmp_path, capsys):
    assert main([str(SAMPLE), "--device", "cuda", "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert "device cuda:0" in told.err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(cuda.is_available(), reason="there is a CUDA device")
def test_a_flow_that_cannot_run_there_is_refused_and_the_model_closed(monkeypatch):
    """The model could be opened, Numba finds no device: no half of the chain runs on the CPU instead."""
    opened = open_engine(DEFAULT_BUNDLE)
    monkeypatch.setattr(opened, "device", type(opened.device)("cuda"))
    monkeypatch.setattr("microau.engine.chain.open_engine", lambda *arguments: opened)
    with pytest.raises(MicroauError, match="no CUDA device found"):
        open_chain(DEFAULT_BUNDLE, "cuda")
    with pytest.raises(RuntimeError, match="is closed"):
        opened({})


FLOW, POINTS, PLANE = float32[:, :, :, ::1], float32[:, :, ::1], float32[:, ::1]
NUMBERS, OWNER, TABLE = int32[::1], int32[:, :, ::1], int32[:, ::1]
SIGNATURES = {
    kernels.fit_head: (FLOW, POINTS, PLANE, float32[::1], int64, PLANE),
    kernels.clear: (OWNER,),
    kernels.cover: (POINTS, TABLE, OWNER),
    kernels.remove_head: (FLOW, POINTS, PLANE, TABLE, OWNER, PLANE),
    kernels.to_percent: (FLOW, float32, FLOW),
    kernels.to_image: (FLOW, float32, float32, float32, FLOW),
    kernels.pick: (POINTS, NUMBERS, POINTS),
    kernels.measure: (FLOW, POINTS, NUMBERS, int64, float32, POINTS),
}
IN_SINGLE = (kernels.to_percent, kernels.to_image, kernels.pick)
"""Those over all pixels. The fit of six numbers and the mesh's borders are in double, as on the CPU."""


@pytest.mark.parametrize("capability", [(7, 5), (8, 6), (9, 0)])
@pytest.mark.parametrize("kernel", SIGNATURES, ids=lambda kernel: kernel.py_func.__name__)
def test_compiles(kernel, capability):
    pytest.importorskip("numba_cuda", reason="numba-cuda is not installed")
    pytest.importorskip("nvidia", reason="no CUDA compiler is installed: numba-cuda[cu13]")
    ptx, _ = cuda.compile_ptx(kernel.py_func, SIGNATURES[kernel], cc=capability)
    assert f".target sm_{capability[0]}{capability[1]}" in ptx
    if kernel in IN_SINGLE:
        assert ".f64" not in ptx


def faces(count, seed):
    """Average faces (count, 478, 3) in the crop, each turned a little and trembling."""
    rng = np.random.default_rng(seed)
    face = np.concatenate([np.asarray(CANONICAL, np.float64), np.zeros((10, 3))]) * (1, -1, -1)
    eyes = face[[RIGHT_EYE, LEFT_EYE]]
    face = (face - eyes.mean(axis=0)) * CROP_OED / np.linalg.norm(eyes[1] - eyes[0])
    turns = np.eye(3) + rng.normal(0, 0.1, (count, 3, 3))
    return (face @ turns + np.array([CROP / 2, EYE_ROW, 0]) + rng.normal(0, 0.5, (count, 478, 3))).astype(
        np.float32
    )


@pytest.mark.gpu
@on_device
@pytest.mark.parametrize("batch", [1, 3, 8, 64])
def test_chain_is_the_cpu_chain(batch):
    onsets, apexes = (
        side.clip(0, 255).astype(np.uint8) for side in smooth_pairs((batch, CROP, CROP), batch)
    )
    points = faces(batch, batch)
    chain = FacialFlowCuda(batch, RUNTIME, (61, 291), cuda.stream())
    for _ in range(2):  # buffers keep nothing from call to call
        chain(onsets, apexes, points)
        moved, image = chain.moved(), chain.image.copy_to_host()
        for i in range(batch):
            flow = facial_flow(onsets[i], apexes[i], points[i])
            np.testing.assert_allclose(image[i], flow_image(flow, RUNTIME), atol=NEAR)
            np.testing.assert_allclose(moved[i], measure(flow, points[i]), atol=NEAR)
        onsets, apexes = apexes, onsets


@pytest.mark.gpu
@on_device
def test_event_on_the_device_is_the_event_on_the_cpu():
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("ONNX Runtime has no CUDAExecutionProvider")
    onsets, apexes = (side.clip(0, 255).astype(np.uint8) for side in smooth_pairs((11, CROP, CROP), 5))
    pairs = {"onset": onsets, "apex": apexes, "points": faces(11, 5)}
    with closing(CpuChain(open_engine(DEFAULT_BUNDLE))) as chain:
        wanted = chain(pairs)
    for _ in range(2):  # memory that the first one leaves behind is not read by the second
        with closing(CudaChain(open_engine(DEFAULT_BUNDLE, "cuda"))) as chain:
            found = chain(pairs)
    for name in OUTPUTS:
        np.testing.assert_allclose(found[name], wanted[name], atol=2e-3, err_msg=name)
