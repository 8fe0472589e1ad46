"""The TensorRT back end between driver and engine: rows, filling, graphs, and nothing left behind.

No card is needed: `cuda_in_memory` stands for the driver and for TensorRT.
"""

from __future__ import annotations

import hashlib
import json
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from cuda_in_memory import Context, MemoryDriver, expected, memory_tensorrt

from microau.engine import cuda_driver
from microau.engine.bundle import KEY, read_bundle
from microau.engine.engine_file import BuildOptions, EngineCard, EngineRefused, write_card
from microau.engine.engines import tensorrt
from microau.engine.inference import OUTPUTS, open_engine

VERSION = "11.4.0.2"
LARGEST = 12


@pytest.fixture
def driver(monkeypatch):
    driver = MemoryDriver()
    monkeypatch.setattr(cuda_driver, "_library", lambda: driver)
    return driver


@pytest.fixture(params=["tensorrt", "rtx"])
def plan(request, tiny_bundle, tmp_path, driver, monkeypatch):
    """An engine file of either flavour that fits card 1 of the driver."""
    bundle, path = read_bundle(tiny_bundle), tmp_path / "tiny.plan"
    trt = memory_tensorrt(driver, bundle, VERSION)
    monkeypatch.setattr(tensorrt, "import_flavour", lambda name: trt)
    path.write_bytes(b"a plan")
    profile = {
        name: tuple((n, *bundle.shapes[name][1:]) for n in (1, 4, LARGEST))
        for name in ("flow", "landmarks")
    }
    card = EngineCard(
        engine_sha256=hashlib.sha256(b"a plan").hexdigest(),
        onnx="tiny.onnx",
        onnx_sha256="",
        version=VERSION,
        gpu="Card 1",
        compute_capability="8.9",
        options=BuildOptions(request.param, "fp32", (1, 4, LARGEST)),
        profile=profile,
        metadata={KEY: json.dumps(bundle.to_json())},
    )
    write_card(path, card)
    return path


def inputs(rows: int, engine, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = engine.bundle.shapes
    return {n: rng.normal(size=(rows, *shapes[n][1:])).astype(np.float32) for n in ("flow", "landmarks")}


def check(engine, given) -> None:
    wanted = expected(given)
    for name, array in engine(given).items():
        assert array.dtype == np.float32
        assert array.shape == (len(wanted), *engine.bundle.shapes[name][1:])
        rows = array.reshape(len(wanted), -1)
        np.testing.assert_allclose(rows, np.broadcast_to(wanted[:, None], rows.shape), atol=1e-3)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 11, 12, 13, 30])
def test_every_row_gets_its_own_answer(plan, rows):
    with open_engine(plan, "tensorrt:1") as engine:
        check(engine, inputs(rows, engine))


def test_a_smaller_batch_after_a_larger_one_sees_nothing_of_it(plan):
    with open_engine(plan, "tensorrt:1") as engine:
        for rows in (12, 1, 5, 2):
            check(engine, inputs(rows, engine, seed=rows))


def test_recorded_once_then_only_launched(plan, driver):
    with open_engine(plan, "tensorrt:1") as engine:
        driver.log.clear()
        for rows in (1, 3, 12, 3, 1):
            engine(inputs(rows, engine))
        once = "launch" if "execute" not in driver.log else "execute"
        assert driver.log.count(once) == 5
        assert ("launch" in driver.log) != ("execute" in driver.log)
        assert len(driver.graphs) in (0, 5)  # rtx records them itself; else 1, 2, 4, 8, 12


def test_nothing_is_left_on_the_card(plan, driver):
    engine = open_engine(plan, "tensorrt:1")
    engine(inputs(7, engine))
    assert driver.alive["card"] > 0
    engine.close()
    engine.close()
    assert not +driver.alive
    assert driver.blocks == {}


@pytest.mark.parametrize("call", ["set_input_shape", "set_tensor_address", "execute_async_v3"])
def test_what_tensorrt_refuses_is_not_passed_over_and_leaves_nothing(plan, driver, monkeypatch, call):
    monkeypatch.setattr(Context, call, lambda *arguments: False)
    with pytest.raises(RuntimeError, match="TensorRT refused the"):
        open_engine(plan, "tensorrt:1")
    assert not +driver.alive


class OnCard:
    """An array that says where it lies on the card, as Numba's do."""

    def __init__(
        self, array: np.ndarray, stream: int | None = None, strides: tuple[int, ...] | None = None
    ):
        self.array, self.stream, self.strides = array, stream, strides
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __len__(self):
        return len(self.array)

    def __getitem__(self, rows):
        return OnCard(self.array[rows], self.stream, self.strides)

    @property
    def __cuda_array_interface__(self):
        place = (self.array.ctypes.data, False)
        return {
            "data": place, "strides": self.strides, "stream": self.stream,
            "shape": self.shape, "typestr": self.dtype.str,
        }  # fmt: skip


@pytest.mark.parametrize("rows", [4, 5, 17])
def test_arrays_on_the_card_do_not_pass_through_the_host(plan, driver, rows):
    with open_engine(plan, "tensorrt:1") as engine:
        given = inputs(rows, engine)
        resident = {name: OnCard(array, stream=9) for name, array in given.items()}
        driver.log.clear()
        got, log = engine(resident), list(driver.log)
        wanted = engine(given)
        for name in OUTPUTS:
            np.testing.assert_array_equal(got[name], wanted[name])
        assert "after 9" in log  # what makes them must be done first
        if rows == 4:  # a recorded size: not even zeros go up
            assert not [entry for entry in log if entry.startswith("up")]


def test_a_maker_that_names_no_stream_is_waited_for_on_the_default_one(plan, driver):
    """PyTorch's arrays name none, and our stream does not wait for the default one by itself."""
    with open_engine(plan, "tensorrt:1") as engine:
        resident = {name: OnCard(array) for name, array in inputs(4, engine).items()}
        driver.log.clear()
        engine(resident)
        assert driver.log.count("after 1") == 2


def test_strides_without_gaps_are_as_good_as_none(plan):
    with open_engine(plan, "tensorrt:1") as engine:
        given = inputs(2, engine)
        check_same = {name: OnCard(array, strides=array.strides) for name, array in given.items()}
        for name, array in engine(check_same).items():
            np.testing.assert_array_equal(array, engine(given)[name])


def test_an_array_of_another_type_on_the_card_is_refused(plan):
    with open_engine(plan, "tensorrt:1") as engine:
        given = {name: OnCard(array.astype(np.float64)) for name, array in inputs(1, engine).items()}
        with pytest.raises(ValueError, match=r"float32, was given .* float64"):
            engine(given)


def test_an_array_with_gaps_is_refused(plan):
    with open_engine(plan, "tensorrt:1") as engine:
        every_second = {name: np.repeat(array, 2, -1) for name, array in inputs(1, engine).items()}
        given = {
            name: OnCard(array[..., ::2], strides=array[..., ::2].strides)
            for name, array in every_second.items()
        }
        with pytest.raises(ValueError, match="contiguous"):
            engine(given)


def test_on_another_card_it_is_refused(plan, driver):
    if "rtx" in str(plan.with_name(plan.name + ".json").read_text()):
        pytest.skip("an rtx engine runs on every card from Ampere on")
    with pytest.raises(EngineRefused, match="built for Card 1, here is Card 0"):
        open_engine(plan, "tensorrt:0")
    assert not +driver.alive


def test_a_plan_that_tensorrt_cannot_open_is_refused(plan, driver, monkeypatch):
    monkeypatch.setattr(tensorrt, "read_plan", lambda path, card: b"something else")
    with pytest.raises(EngineRefused, match="TensorRT cannot open it"):
        open_engine(plan, "tensorrt:1")
    assert not +driver.alive


def test_a_card_number_that_does_not_exist_is_told(plan):
    with pytest.raises(cuda_driver.MicroauError, match="cuda:7: this machine has 2"):
        open_engine(plan, "tensorrt:7")


def test_the_weights_of_a_stripped_engine_stay_until_they_are_in_it(tmp_path):
    """TensorRT keeps addresses of what the parser read: freed before, they are anybody's."""
    alive = weakref.WeakSet()

    class Parser:
        def __init__(self, refitter, log):
            alive.add(self)

        def refit_from_bytes(self, data):
            return data == b"weights"

    class Refitter:
        def __init__(self, engine, log): ...

        def refit_cuda_engine(self):
            return len(alive) == 1

    onnx = tmp_path / "tiny.onnx"
    onnx.write_bytes(b"weights")
    log = SimpleNamespace(last="a reason")
    trt = SimpleNamespace(Refitter=Refitter, OnnxParserRefitter=Parser)
    tensorrt._refit(trt, None, onnx, log)
    onnx.write_bytes(b"others")
    with pytest.raises(EngineRefused, match="do not fit the stripped engine: a reason"):
        tensorrt._refit(trt, None, onnx, log)
