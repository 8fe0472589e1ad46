"""Run in Numba's CUDA simulator by test_tvl1_cuda.py, which needs a process of its own for that.

    NUMBA_ENABLE_CUDASIM=1 python tests/simulated_cuda.py [tvl1 | tokens | chain | event]

Prints the largest difference from the CPU's answer, as one JSON number per case.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

from microau.engine import tvl1, tvl1_cuda
from microau.engine.bundle import KEY, Bundle, graph_sha256, split_model
from microau.engine.explain import measure
from microau.engine.facial_flow_cuda import FacialFlowCuda
from microau.engine.flow_image import flow_image
from microau.engine.flow_spec import FlowSpec
from microau.engine.inference import OUTPUTS
from microau.engine.landmarks import CANONICAL
from microau.engine.registration import CROP_OED, LEFT_EYE, RIGHT_EYE
from microau.engine.rigid import fit_flow, remove_rigid
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


SMALL = FlowSpec(
    crop=12, crop_oed=6.0, size=6, algorithm="tvl1",
    parameters={"levels": 1, "warps": 1, "iterations": 2, "radius": 1},
)  # fmt: skip
LANDMARKS = (61, 291, 107, 336)


def small_faces():
    """Points (2, 478, 3) of the average face in a crop of `SMALL`; the second is turned and hangs over."""
    face = np.concatenate([np.asarray(CANONICAL, np.float64), np.zeros((10, 3))]) * (1, -1, -1)
    eyes = face[[RIGHT_EYE, LEFT_EYE]]
    face = (face - eyes.mean(axis=0)) * SMALL.crop_oed / np.linalg.norm(eyes[1] - eyes[0])
    turn = np.array([[0.9, 0.3, 0.2], [-0.3, 0.95, 0], [-0.2, 0, 0.98]])
    return np.stack([face + np.array([5.5, 4.5, 0]), face @ turn + np.array([3, 4, 0])]).astype(np.float32)


def count_copies(counts):
    """Counts what goes up and comes down from now on."""
    up, down = FakeCUDAArray.copy_to_device, FakeCUDAArray.copy_to_host

    def counted_up(self, array, stream=0):
        counts["up"] += self.nbytes
        return up(self, array, stream)

    def counted_down(self, array=None, stream=0):
        counts["down"] += self.nbytes
        return down(self, array, stream)

    FakeCUDAArray.copy_to_device, FakeCUDAArray.copy_to_host = counted_up, counted_down


def chain_cases():
    """Flow, head motion, image, movement and landmarks against the CPU; then the bytes that were copied."""
    onsets, apexes = (side.astype(np.uint8) for side in smooth_pairs((2, SMALL.crop, SMALL.crop), 1))
    points = small_faces()
    chain = FacialFlowCuda(2, SMALL, LANDMARKS)
    counts = {"up": 0, "down": 0}
    count_copies(counts)
    chain(onsets, apexes, points)
    moved = chain.moved()
    copied = dict(counts)
    raw = tvl1_batch(onsets, apexes, Tvl1(**SMALL.parameters))
    flows = [remove_rigid(*pair) for pair in zip(raw, points, strict=True)]
    motion = [fit_flow(*pair) for pair in zip(raw, points, strict=True)]
    assert abs(np.stack(motion)).max() > 1e-3, "no head moves: the comparison would prove nothing"
    yield float(abs(chain._motion.copy_to_host() - motion).max())
    yield float(abs(chain.flow.copy_to_host() - flows).max())
    yield float(abs(chain.image.copy_to_host() - [flow_image(flow, SMALL) for flow in flows]).max())
    words = [measure(*pair) * CROP_OED / SMALL.crop_oed for pair in zip(flows, points, strict=True)]
    assert abs(np.stack(words)).max() > 0.1, "nothing moves: the comparison would prove nothing"
    yield float(abs(moved - words).max())
    yield float(abs(chain.landmarks.copy_to_host() - points[:, LANDMARKS, :2]).max())
    yield copied["up"] - onsets.nbytes - apexes.nbytes - points.nbytes
    yield copied["down"]


def small_bundle(path):
    """A model of `SMALL` images: every output is a random mixture of all inputs."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng, units = np.random.default_rng(0), 3
    shapes = {"flow": (3, SMALL.size, SMALL.size), "landmarks": (len(LANDMARKS), 2)}
    made = {
        "probability": (units,), "side_probability": (units, 2), "features": (units, 4),
        "attention": (units, 2), "dependency": (units,), "emotion": (2,),
    }  # fmt: skip
    constants, nodes, width = [], [], sum(int(np.prod(shape)) for shape in shapes.values())

    def constant(name, values):
        constants.append(numpy_helper.from_array(values, name))
        return name

    nodes += [helper.make_node("Flatten", [name], [f"{name}_flat"]) for name in shapes]
    nodes += [helper.make_node("Concat", [f"{name}_flat" for name in shapes], ["all"], axis=1)]
    for name, shape in made.items():
        mix = constant(f"{name}_mix", rng.normal(0, 0.1, (width, int(np.prod(shape)))).astype(np.float32))
        nodes += [
            helper.make_node("MatMul", ["all", mix], [f"{name}_mixed"]),
            helper.make_node("Sigmoid", [f"{name}_mixed"], [f"{name}_soft"]),
            helper.make_node(
                "Reshape", [f"{name}_soft", constant(f"{name}_to", np.array([-1, *shape]))], [name]
            ),
        ]
    known = {name: (None, *shape) for name, shape in (shapes | made).items()}
    inputs, outputs = (
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
            for name, shape in part.items()
        ]
        for part in (shapes, made)
    )
    model = helper.make_model(
        helper.make_graph(nodes, "small", inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", 18)], ir_version=10,
    )  # fmt: skip
    graph, _ = split_model(model.SerializeToString())
    bundle = Bundle(
        name="small", path=path, units=(), landmarks=LANDMARKS, grid=(2, 2), flow=SMALL,
        emotions=("a", "b"), prototypes={}, emotion_margin=0.0, shapes=known, card={},
        sha256=graph_sha256(graph),
    )  # fmt: skip
    onnx.helper.set_model_props(model, {KEY: json.dumps(bundle.to_json())})
    path.write_bytes(model.SerializeToString())


def event_cases():
    """Crops to probabilities: kernels and ONNX Runtime's binding against the CPU; then the bytes copied."""
    from microau.engine.chain import CpuChain, CudaChain
    from microau.engine.engines.onnxruntime import OnnxRuntimeEngine

    class Here(OnnxRuntimeEngine):
        """The back end as it is, told that the device's memory is this machine's own."""

        def _check(self, inputs):
            self.given = {name: type(array) for name, array in inputs.items()}

        def _memory(self):
            return "cpu", 0

        def _wait(self, place): ...

    FakeCUDAArray.__cuda_array_interface__ = property(
        lambda self: {
            "data": (self._ary.ctypes.data, False), "shape": self._ary.shape, "strides": self._ary.strides,
            "typestr": self._ary.dtype.str, "version": 3,
        }
    )  # fmt: skip
    onsets, apexes = (side.astype(np.uint8) for side in smooth_pairs((3, SMALL.crop, SMALL.crop), 1))
    pairs = {"onset": onsets, "apex": apexes, "points": small_faces()[[0, 1, 0]]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.onnx"
        small_bundle(path)
        wanted = CpuChain(OnnxRuntimeEngine(path))(pairs)
        chain, counts = CudaChain(Here(path), largest=2), {"up": 0, "down": 0}
        count_copies(counts)
        found = chain(pairs)  # two, then one
    assert set(chain.engine.given.values()) == {FakeCUDAArray}
    assert set(found) == set(wanted)
    assert np.ptp(wanted["probability"], axis=0).max() > 0.01, (
        "all alike: the comparison would prove nothing"
    )
    yield max(float(abs(found[name] - wanted[name]).max()) for name in OUTPUTS)
    yield counts["up"] - sum(array.nbytes for array in pairs.values())
    yield counts["down"]


if __name__ == "__main__":
    cases = {"tvl1": tvl1_cases, "tokens": tokens_cases, "chain": chain_cases, "event": event_cases}[
        sys.argv[1]
    ]
    print(json.dumps(list(cases())))
