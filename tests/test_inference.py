"""One interface for every back end: it checks, warms up, closes, and never runs elsewhere than asked."""

import numpy as np
import onnxruntime
import pytest
from tiny import tiny_inputs, tiny_model

from microau.engine.bundle import read_bundle
from microau.engine.errors import MicroauError
from microau.engine.inference import OUTPUTS, Device, Engine, open_engine


@pytest.fixture(scope="module")
def inputs():
    image, landmarks = tiny_inputs(tiny_model(), 5)
    return {"flow": image.numpy(), "landmarks": landmarks.numpy()}


class Counting(Engine):
    """A back end that counts what the base asks of it."""

    log: list[str]

    def _open(self):
        self.log = ["open"]

    def _run(self, inputs):
        self.log.append(f"run {len(inputs['flow'])}")
        return {}

    def _close(self):
        self.log.append("close")


def test_the_base_opens_warms_up_and_closes_once(tiny_bundle):
    with Counting(tiny_bundle) as engine:
        engine.close()
    engine.close()
    assert engine.log == ["open", "run 1", "close"]


def test_an_engine_whose_first_run_fails_is_closed(tiny_bundle, monkeypatch):
    log = []
    monkeypatch.setattr(Counting, "_run", lambda self, inputs: 1 / 0)
    monkeypatch.setattr(Counting, "_close", lambda self: log.append("close"))
    with pytest.raises(ZeroDivisionError):
        Counting(tiny_bundle)
    assert log == ["close"]


def test_a_closed_engine_says_so(tiny_bundle, inputs):
    engine = Counting(tiny_bundle)
    engine.close()
    with pytest.raises(RuntimeError, match="is closed"):
        engine(inputs)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"flow": np.zeros((5, 3, 64, 64), np.float32)}, "flow must be .*112.* was given .*64"),
        ({"flow": np.zeros((5, 3, 112, 112), np.float64)}, "float32, was given .* float64"),
        ({"flow": np.zeros((3, 112, 112), np.float32)}, "flow must be"),
        ({"flow": np.zeros((4, 3, 112, 112), np.float32)}, r"lengths \[4, 5\]"),
        ({"mask": np.zeros(5, np.float32)}, "takes flow, landmarks, was given"),
    ],
    ids=["size", "dtype", "axes", "batch", "name"],
)
def test_wrong_arrays_are_refused_at_the_door(tiny_bundle, inputs, change, says):
    with Counting(tiny_bundle) as engine, pytest.raises(ValueError, match=says):
        engine(inputs | change)


def test_the_batch_is_no_more_than_its_rows(tiny_bundle, inputs):
    with open_engine(tiny_bundle) as engine:
        whole = engine(inputs)
        rows = [engine({n: array[i : i + 1] for n, array in inputs.items()}) for i in range(5)]
    for name in OUTPUTS:
        np.testing.assert_allclose(whole[name], np.concatenate([r[name] for r in rows]), atol=1e-5)


def test_outputs_are_the_callers_own(tiny_bundle, inputs):
    with open_engine(tiny_bundle) as engine:
        first = engine(inputs)
        kept = {name: array.copy() for name, array in first.items()}
        engine({name: array * 0 for name, array in inputs.items()})
    for name in OUTPUTS:
        np.testing.assert_array_equal(first[name], kept[name])


def test_outputs_have_the_shapes_of_the_bundle(tiny_bundle, inputs):
    bundle = read_bundle(tiny_bundle)
    with open_engine(tiny_bundle) as engine:
        for name, array in engine(inputs).items():
            assert array.shape == (5, *bundle.shapes[name][1:]), name
            assert array.dtype == np.float32


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("cpu", Device("cpu")),
        ("cuda", Device("cuda", 0)),
        ("cuda:1", Device("cuda", 1)),
        ("tensorrt:2", Device("tensorrt", 2)),
    ],
)
def test_devices_are_read(text, device):
    assert Device.parse(text) == device
    assert Device.parse(str(device)) == device


@pytest.mark.parametrize("text", ["", "gpu", "cpu:1", "cuda:", "cuda:x", "cuda:-1", "CUDA"])
def test_other_words_are_no_device(text):
    with pytest.raises(MicroauError, match="not one of cpu, cuda"):
        Device.parse(text)


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "tensorrt"])
def test_a_missing_device_is_never_replaced(tiny_bundle, device):
    provider = {"cuda": "CUDA", "tensorrt": "Tensorrt"}[device.partition(":")[0]]
    if f"{provider}ExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip(f"this ONNX Runtime has {provider}")
    with pytest.raises(MicroauError, match=rf"^device {device}.*{provider}ExecutionProvider") as caught:
        open_engine(tiny_bundle, device)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_did_not_start_is_noticed(tiny_bundle, monkeypatch):
    """ONNX Runtime lists providers that it cannot start and then runs on the CPU without a word."""
    listed = onnxruntime.get_available_providers()
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", *listed])
    if "CUDAExecutionProvider" in listed:
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(MicroauError, match="could not start CUDAExecutionProvider"):
        open_engine(tiny_bundle, "cuda")


def test_an_unknown_kind_of_file_is_refused(tmp_path):
    with pytest.raises(MicroauError, match=r"no back end for this kind of model file \(known: .*\.onnx"):
        open_engine(tmp_path / "model.pt")
