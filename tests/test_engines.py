"""One suite over every back end that this machine has; one that it lacks is skipped by its name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from ctypes.util import find_library
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from tiny import tiny_inputs, tiny_model, tiny_trained

from microau.engine import cuda_driver
from microau.engine.errors import MicroauError
from microau.engine.inference import INPUTS, OUTPUTS, Device, Engine, open_engine
from microau.export.bundle import Deployed


def atol(name: str) -> float:
    """Largest difference from NumPy; TensorRT may use TF32."""
    return 2e-3 if "tensorrt" in name else 2e-5


BATCH = 5


def onnxruntime_engine(bundle: Path, device: str) -> Engine:
    return open_engine(bundle, device)


def torch_engine(bundle: Path, device: str) -> Engine:
    from microau.engine.engines.torch import TorchEngine

    return TorchEngine(bundle, Device.parse(device))


def tensorrt_engine(bundle: Path, flavour: str) -> Engine:
    """Built here first: an engine belongs to the GPU that is about to run it."""
    from microau.export.trt.cli import main

    plan = bundle.with_name(f"{flavour}.plan")
    words = ["--flavour", flavour, "--precision", "fp32", "--batch", "1", "4", "16"]
    assert main(["--onnx", str(bundle), "--out", str(plan), *words]) == 0
    return open_engine(plan, "tensorrt")


class GatherElements(OpRun):
    """The evaluator's own one ends at 64 rows."""

    op_domain = ""

    def _run(self, data, indices, axis=0):
        return (np.take_along_axis(data, indices, axis),)


BACK_ENDS: dict[str, tuple[Callable[[Path, str], Engine], str]] = {
    "onnxruntime cpu": (onnxruntime_engine, "cpu"),
    "onnxruntime cuda": (onnxruntime_engine, "cuda"),
    "onnxruntime tensorrt": (onnxruntime_engine, "tensorrt"),
    "torch cpu": (torch_engine, "cpu"),
    "torch cuda": (torch_engine, "cuda"),
    "tensorrt": (tensorrt_engine, "tensorrt"),
    "tensorrt rtx": (tensorrt_engine, "rtx"),
}


def lacks(name: str) -> str:
    """Why this machine cannot run a back end; '' where it can."""
    library, _, kind = name.partition(" ")
    if kind == "cpu":
        return ""
    try:
        cuda_driver.gpu(0)
    except MicroauError as error:
        return str(error)
    package = {"onnxruntime": "onnxruntime", "torch": "torch"}.get(library, f"tensorrt_{kind}".rstrip("_"))
    if importlib.util.find_spec(package) is None:
        return f"the package {package} is not installed"
    if library == "torch" and not torch.cuda.is_available():
        return "torch is built without CUDA"
    provider = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}.get(kind, "")
    if library == "onnxruntime" and provider not in onnxruntime.get_available_providers():
        return f"ONNX Runtime has no {provider}"
    if name == "onnxruntime tensorrt" and find_library("nvinfer") is None:
        return "TensorRT's library, libnvinfer, is not installed"
    return ""


HERE = [name for name in BACK_ENDS if not lacks(name)]


@pytest.mark.parametrize("missing", [name for name in BACK_ENDS if name not in HERE])
def test_not_on_this_machine(missing):
    pytest.skip(f"{missing}: {lacks(missing)}")


@pytest.fixture(scope="module", params=HERE)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def engine(name, tiny_bundle) -> Iterator[Engine]:
    make, argument = BACK_ENDS[name]
    with make(tiny_bundle, argument) as opened:
        yield opened


@pytest.fixture(scope="module")
def inputs():
    image, landmarks = tiny_inputs(tiny_model(), BATCH)
    return {"flow": image.numpy(), "landmarks": landmarks.numpy()}


@pytest.fixture(scope="module")
def numpy_says(tiny_bundle, inputs):
    """ONNX's own evaluator: NumPy and nothing else."""
    evaluator = ReferenceEvaluator(onnx.load(tiny_bundle), new_ops=[GatherElements])
    return dict(zip(evaluator.output_names, evaluator.run(None, inputs), strict=True))


def test_agrees_with_numpy(engine, name, inputs, numpy_says):
    got = engine(inputs)
    assert set(got) == set(OUTPUTS)
    for output in OUTPUTS:
        assert got[output].dtype == np.float32
        np.testing.assert_allclose(got[output], numpy_says[output], atol=atol(name))


def test_agrees_with_torch(engine, name, inputs):
    with torch.no_grad():
        wanted = Deployed(tiny_trained()).eval()(*(torch.from_numpy(inputs[n]) for n in INPUTS))
    got = engine(inputs)
    for output, tensor in zip(OUTPUTS, wanted, strict=True):
        np.testing.assert_allclose(got[output], tensor.numpy(), atol=atol(name))


@pytest.mark.parametrize("rows", [1, 3, 4, 16, 21])
def test_any_batch_is_no_more_than_its_rows(engine, name, inputs, numpy_says, rows):
    """Sizes between the recorded ones are filled up, larger ones cut: no row may notice."""
    order = np.arange(rows) % BATCH
    got = engine({n: array[order] for n, array in inputs.items()})
    for output in OUTPUTS:
        assert len(got[output]) == rows
        np.testing.assert_allclose(got[output], numpy_says[output][order], atol=atol(name), err_msg=output)


def test_the_batch_before_leaves_no_trace(engine, inputs):
    one = {n: array[:1] for n, array in inputs.items()}
    before = engine(one)
    engine({n: np.repeat(array, 4, axis=0) * 3 for n, array in inputs.items()})
    after = engine(one)
    for output in OUTPUTS:
        np.testing.assert_array_equal(after[output], before[output])


def test_what_was_given_stays_the_callers(engine, inputs):
    kept = {n: array.copy() for n, array in inputs.items()}
    first = engine(inputs)
    copies = {output: array.copy() for output, array in first.items()}
    engine({n: array * 0 for n, array in inputs.items()})
    for output in OUTPUTS:
        np.testing.assert_array_equal(first[output], copies[output])
    for n in INPUTS:
        np.testing.assert_array_equal(inputs[n], kept[n])


def test_arrays_in_any_layout_are_read_right(engine, inputs):
    """Views with strides, as slicing and transposing give them."""
    flow = np.asfortranarray(inputs["flow"])
    doubled = np.repeat(inputs["landmarks"], 2, axis=1)[:, ::2]
    got, wanted = engine({"flow": flow, "landmarks": doubled}), engine(inputs)
    for output in OUTPUTS:
        np.testing.assert_array_equal(got[output], wanted[output])


@pytest.mark.gpu
def test_arrays_on_the_gpu_are_taken_from_there(engine, name, inputs):
    if engine.device.kind == "cpu":
        pytest.skip(f"{name} takes arrays on the host")
    cuda = pytest.importorskip("numba.cuda")
    resident = {n: cuda.to_device(array) for n, array in inputs.items()}
    got, wanted = engine(resident), engine(inputs)
    for output in OUTPUTS:
        np.testing.assert_array_equal(got[output], wanted[output])


class There:
    """An array that says it lies on a GPU; its address is this machine's memory."""

    def __init__(self, array: np.ndarray):
        self.array, self.shape = array, array.shape

    def __len__(self):
        return len(self.array)

    @property
    def __cuda_array_interface__(self):
        array = self.array
        return {
            "data": (array.ctypes.data, False), "shape": array.shape, "typestr": array.dtype.str,
            "strides": array.strides, "version": 3,
        }  # fmt: skip


def test_onnxruntime_binds_inputs_where_they_lie(tiny_bundle, inputs, monkeypatch):
    """The binding as on a GPU, told that the GPU's memory is the host's; nothing goes up on the way."""
    from microau.engine.engines.onnxruntime import OnnxRuntimeEngine

    with open_engine(tiny_bundle) as engine:
        wanted = engine(inputs)
        monkeypatch.setattr(OnnxRuntimeEngine, "_memory", lambda self: ("cpu", 0))
        waited = []
        monkeypatch.setattr(OnnxRuntimeEngine, "_wait", lambda self, place: waited.append(place.stream))
        monkeypatch.setattr(engine, "device", Device("cuda"))
        got = engine({n: There(array) for n, array in inputs.items()})
        assert waited == [1, 1]  # makers that name no stream: the default one
    for output in OUTPUTS:
        np.testing.assert_array_equal(got[output], wanted[output])


def test_an_engine_on_the_cpu_refuses_arrays_on_a_gpu(tiny_bundle, inputs):
    with open_engine(tiny_bundle) as engine, pytest.raises(ValueError, match="lies on a GPU"):
        engine({n: There(array) for n, array in inputs.items()})


def test_closing_twice_is_harmless(tiny_bundle):
    for open_one in (lambda: open_engine(tiny_bundle), lambda: torch_engine(tiny_bundle, "cpu")):
        with open_one() as opened:
            opened.close()
        opened.close()
        with pytest.raises(RuntimeError, match="is closed"):
            opened({})


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what torch without a GPU says")
def test_torch_without_the_gpu_that_was_asked_for_says_so(tiny_bundle):
    with pytest.raises(MicroauError, match=r"device cuda:1: torch .* finds 0 GPU"):
        torch_engine(tiny_bundle, "cuda:1")
    with pytest.raises(MicroauError, match="runs on cpu or cuda"):
        torch_engine(tiny_bundle, "tensorrt")


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="onnxruntime-gpu is installed"
)
@pytest.mark.parametrize("device", ["cuda", "cuda:1", "tensorrt"])
def test_onnxruntime_never_takes_the_cpu_instead(tiny_bundle, device):
    with pytest.raises(MicroauError, match=r"has no (CUDA|Tensorrt)ExecutionProvider"):
        open_engine(tiny_bundle, device)


def test_torch_computes_without_asking_the_card_for_a_number(tiny_bundle, inputs):
    """Else it could not be recorded as a CUDA graph. On 'meta' there are no numbers to ask for."""
    from microau.engine.engines.onnx_torch import OnnxModule

    module = OnnxModule(tiny_bundle.read_bytes()).to("meta")
    outputs = module(*(torch.from_numpy(inputs[name]).to("meta") for name in module.inputs))
    assert [len(output) for output in outputs] == [BATCH] * len(OUTPUTS)


def test_an_operator_that_torch_lacks_is_named(tiny_bundle, tmp_path):
    from microau.engine.engines.onnx_torch import OnnxModule

    model = onnx.load(tiny_bundle)
    model.graph.node[3].op_type, model.graph.node[3].name = "Celu", "/odd/one"
    with pytest.raises(MicroauError, match="no operator Celu \\(/odd/one\\)"):
        OnnxModule(model.SerializeToString())


@pytest.mark.parametrize(
    ("given", "dilations"), [((2, 3, 32, 48), [1, 1]), ((1, 3, 33, 48), [1, 1]), ((1, 3, 64, 64), [2, 2])]
)
def test_large_squares_side_by_side_are_one_product(given, dilations):
    """As a convolution; where a rest is left over, or there are gaps, it stays one."""
    from microau.engine.engines.onnx_torch import OPERATORS

    rng = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(n, generator=rng) for n in (given, (5, 3, 16, 16), (5,)))
    found = OPERATORS["Conv"]({"strides": [16, 16], "dilations": dilations}, [x, weight, bias])
    wanted = torch.nn.functional.conv2d(x, weight, bias, 16, 0, dilations)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("asked", ["ieee", "tf32", "none"])
def test_a_recording_s_convolutions_are_exact_and_the_program_s_own_setting_stays(asked):
    from microau.engine.engines.torch import exact_convolutions

    settings = torch.backends.cudnn.conv
    before = settings.fp32_precision
    try:
        settings.fp32_precision = asked
        own = settings.fp32_precision
        with exact_convolutions():
            assert settings.fp32_precision == "ieee"
        assert settings.fp32_precision == own
    finally:
        settings.fp32_precision = before
