"""Other number formats: what is rounded is what the file says, and nothing that must be exact is."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nets import token_inputs, token_net
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from tiny import tiny_inputs, tiny_model

from microau.engine.bundle import KEY, read_bundle
from microau.engine.errors import MicroauError
from microau.engine.inference import OUTPUTS, open_engine
from microau.export.calibration import Range, best_range, load_samples, ranges
from microau.export.half import to_half
from microau.export.onnx_graph import array, constants, element_types, load
from microau.export.qdq import CPU, FP8, INT8, quantise
from microau.export.quantise import CALIBRATED, VARIANTS, convert, convert_file, variant_of

FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


@pytest.fixture(scope="module")
def net():
    return token_net()


@pytest.fixture(scope="module")
def samples():
    return token_inputs(32)


def run(model, inputs, level="ORT_DISABLE_ALL"):
    """Outputs by name; unoptimised unless told otherwise, so that every node does what it says."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(inputs)), strict=True))


def optimised_operators(model, tmp_path):
    """Operators that are left when ONNX Runtime has replaced the patterns it knows."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]


# Half precision


def test_half_keeps_norms_and_softmax_in_single_and_products_in_half(net):
    half = to_half(net)
    types = element_types(half)
    for node in half.graph.node:
        if node.op_type in ("LayerNormalization", "Softmax", "ReduceL2"):
            assert types[node.input[0]] == FLOAT, node.name
        if node.op_type in ("Conv", "MatMul"):
            assert {types[name] for name in node.input} == {HALF}, node.name


def test_half_chooses_the_same_tokens_beside_every_border(net):
    inputs = token_inputs(500, seed=3)
    tokens, _, _ = ReferenceEvaluator(to_half(net)).run(None, inputs)
    np.testing.assert_array_equal(tokens, run(net, inputs)["token"])


def test_landmarks_in_half_would_choose_others(net):
    """The reason for the exception: without it the test above would fail."""
    inputs = token_inputs(500, seed=3)
    inputs["landmarks"] = np.minimum(inputs["landmarks"], 200)  # the last cell would be left
    careless, _, _ = ReferenceEvaluator(to_half(net, coordinates=())).run(None, inputs)
    assert (careless != run(net, inputs)["token"]).any()


def test_half_is_near_single(net, samples):
    single, half = run(net, samples), run(to_half(net), samples)
    np.testing.assert_allclose(half["probability"], single["probability"], atol=5e-3)
    np.testing.assert_allclose(half["features"], single["features"], atol=5e-3)


def test_half_survives_masks(net, samples):
    still = samples | {"flow": samples["flow"] * 0}
    answers = run(to_half(net), still)
    assert all(np.isfinite(answers[name]).all() for name in answers)
    assert (answers["probability"][:, 3] == 0).all()  # masked by -1e9, which half cannot hold


def test_half_keeps_the_guard_of_a_division(net):
    """1e-12 would become 0 in half: the norm, its guard and the division stay in single precision."""
    half = to_half(net)
    types = element_types(half)
    for node in half.graph.node:
        if node.name in ("/norm2", "/guard", "/unit"):
            assert {types[name] for name in node.input if types[name] in (FLOAT, HALF)} == {FLOAT}, (
                node.name
            )


def test_numbers_that_half_cannot_hold_become_its_smallest_and_largest():
    weight = np.zeros((128, 128), np.float32)
    weight[0, :4] = [1e-12, -1e-12, 1e9, -1e9]
    held = array(constants(to_half(one_product(weight)))["w_half"])
    assert held[0, 0] == -held[0, 1] == 2.0**-24
    assert held[0, 2] == -held[0, 3] == 65504
    assert (held[1:] == 0).all()


def test_half_keeps_inputs_and_outputs_as_they_are(net):
    half = to_half(net)
    for before, after in ((net.graph.input, half.graph.input), (net.graph.output, half.graph.output)):
        assert [i.name for i in before] == [i.name for i in after]
        assert [i.type.tensor_type.elem_type for i in before] == [
            i.type.tensor_type.elem_type for i in after
        ]


# Ranges


@given(
    hnp.arrays(np.float32, st.integers(2, 200), elements=st.integers(-10000, 10000).map(lambda n: n / 64)),
    st.booleans(),
)
def test_the_best_range_holds_zero_and_loses_no_more_than_the_full_one(values, symmetric):
    found = best_range(values, 255, symmetric)
    assert found.low <= 0 <= found.high
    if symmetric:
        assert found.low == -found.high
        full = Range(-float(np.abs(values).max()), float(np.abs(values).max()))
    else:
        full = Range(min(0.0, float(values.min())), max(0.0, float(values.max())))
    assert rounding_error(values, found) <= rounding_error(values, full) * (1 + 1e-6) + 1e-12


def rounding_error(values, found):
    if found.low == found.high:
        return float(np.square(values).mean())
    step = (found.high - found.low) / 254
    return float(np.square(np.round(values.clip(found.low, found.high) / step) * step - values).mean())


def test_one_outlier_does_not_coarsen_all_steps():
    values = np.append(np.random.default_rng(0).normal(0, 1, 100_000), 12.0).astype(np.float32)
    assert best_range(values, 255, symmetric=True).bound < 9


def test_a_floating_type_is_not_clipped():
    values = np.append(np.random.default_rng(0).normal(0, 1, 100_000), 12.0).astype(np.float32)
    assert best_range(values, None, symmetric=True).bound == 12


def test_ranges_are_those_of_the_tensors_themselves(net, samples):
    found = ranges(net, samples, ["sr", "n"], None, symmetric=False)
    flow = samples["flow"]
    stem = run(_only(net, "sr"), {"flow": flow})["sr"]
    assert found["sr"].low == 0
    assert 0.8 * stem.max() <= found["sr"].high <= stem.max()
    assert found["n"].low < 0 < found["n"].high


def _only(net, output):
    """The stem alone, cut out by ONNX's own tool."""
    return onnx.utils.Extractor(onnx.shape_inference.infer_shapes(net)).extract_model(["flow"], [output])


# Pairs


def one_product(weight):
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "/product")],
        "one",
        [helper.make_tensor_value_info("x", FLOAT, ["batch", weight.shape[0]])],
        [helper.make_tensor_value_info("y", FLOAT, ["batch", weight.shape[1]])],
        [numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_a_product_is_what_rounding_by_hand_gives():
    """NumPy: x and each column of w rounded to steps of largest / 127, then multiplied exactly."""
    rng = np.random.default_rng(0)
    weight = (rng.normal(0, 1, (128, 128)) * np.geomspace(0.01, 10, 128)).astype(np.float32)
    x = rng.uniform(-3, 3, (16, 128)).astype(np.float32)
    model = quantise(one_product(weight), {"x": x}, INT8)
    stored = {name: array(tensor) for name, tensor in constants(model).items()}
    scale, steps = stored["x_scale"], np.round(x / stored["x_scale"]).clip(-128, 127)
    columns = np.round(weight / stored["w_scale"]).clip(-127, 127)
    np.testing.assert_array_equal(stored["w_q"], columns.astype(np.int8))
    np.testing.assert_allclose(stored["w_scale"], np.abs(weight).max(axis=0) / 127, rtol=1e-3)
    np.testing.assert_allclose(
        run(model, {"x": x})["y"], (steps * scale) @ (columns * stored["w_scale"]), rtol=1e-4, atol=1e-4
    )


def test_small_columns_keep_their_own_steps():
    """With one scale for the whole matrix the column of 1e-4 would be lost."""
    rng = np.random.default_rng(0)
    weight = rng.normal(0, 1, (128, 128)).astype(np.float32)
    weight[:, 0] *= 0.05
    x = rng.normal(0, 1, (64, 128)).astype(np.float32)
    got = run(quantise(one_product(weight), {"x": x}, INT8), {"x": x})["y"]
    relative = np.abs(got - x @ weight).mean(axis=0) / np.abs(x @ weight).mean(axis=0)
    assert relative[0] < 2 * relative[1:].mean()


@pytest.mark.parametrize("scheme", [INT8, FP8], ids=["int8", "fp8"])
def test_scales_survive_half_precision_exactly(net, samples, scheme):
    model = quantise(net, samples, scheme)
    for name, tensor in constants(model).items():
        if name.endswith("_scale"):
            scale = array(tensor)
            np.testing.assert_array_equal(scale.astype(np.float16).astype(np.float32), scale)


def test_the_measured_motion_itself_is_never_rounded(net, samples):
    for scheme in (CPU, INT8, FP8):
        model = quantise(net, samples, scheme)
        stem = next(node for node in model.graph.node if node.name == "/stem")
        assert stem.input[0] == "flow"
        assert element_types(model)[stem.input[1]] == FLOAT


def test_static_pairs_become_integer_kernels_on_the_cpu(net, samples, tmp_path):
    operators = optimised_operators(quantise(net, samples, CPU), tmp_path)
    assert operators.count("QLinearConv") == 4
    assert "QLinearAdd" in operators
    assert operators.count("Conv") + operators.count("FusedConv") == 1  # the stem


def test_dynamic_products_become_one_kernel_on_the_cpu(net, tmp_path):
    operators = optimised_operators(convert(net, "int8-dynamic"), tmp_path)
    assert operators.count("DynamicQuantizeMatMul") == 2


@pytest.mark.parametrize("attributes", [{"transB": 1}, {}], ids=["turned", "straight"])
def test_a_gemm_becomes_dynamic_with_its_bias(attributes):
    rng = np.random.default_rng(0)
    weight = rng.normal(0, 0.1, (256, 128) if attributes else (128, 256)).astype(np.float32)
    x = rng.normal(0, 1, (8, 128)).astype(np.float32)
    bias = rng.normal(0, 1, 256).astype(np.float32)
    wanted = x @ (weight.T if attributes else weight) + bias
    got = run(convert(gemm(weight, bias, **attributes), "int8-dynamic"), {"x": x})["y"]
    assert np.abs(got - wanted).max() < 0.05
    assert not np.array_equal(got, wanted)


def test_a_gemm_that_does_more_is_left_alone():
    model = convert(
        gemm(np.ones((128, 256), np.float32), np.ones(256, np.float32), alpha=0.5), "int8-dynamic"
    )
    assert [node.op_type for node in model.graph.node] == ["Gemm"]


def gemm(weight, bias, **attributes):
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], "/gemm", **attributes)],
        "gemm",
        [helper.make_tensor_value_info("x", FLOAT, ["batch", 128])],
        [helper.make_tensor_value_info("y", FLOAT, ["batch", 256])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


# Variants


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_recognised_and_near_the_original(net, samples, variant):
    model = convert(net, variant, samples)
    assert variant_of(model) == variant
    wanted, got = run(net, samples), run(model, samples)
    limit = {"fp32": 0, "fp16": 5e-3, "fp8": 0.1}.get(variant, 0.04)
    np.testing.assert_array_equal(got["token"], wanted["token"])
    assert np.abs(got["probability"] - wanted["probability"]).max() <= limit


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "fp32"])
def test_two_interpreters_read_the_same_numbers_from_the_file(net, samples, variant):
    """ONNX's own NumPy evaluator shares nothing with ONNX Runtime."""
    model = convert(net, variant, samples)
    few = {name: rows[:2] for name, rows in samples.items()}
    numpy_says = dict(
        zip(["token", "probability", "features"], ReferenceEvaluator(model).run(None, few), strict=True)
    )
    np.testing.assert_allclose(run(model, few)["probability"], numpy_says["probability"], atol=0.02)


@pytest.mark.parametrize("variant", CALIBRATED)
def test_a_variant_that_needs_samples_says_so(net, variant):
    with pytest.raises(MicroauError, match=f"{variant} needs samples"):
        convert(net, variant)


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "fp32"])
def test_a_bundle_stays_a_bundle(tiny_bundle, tmp_path, variant):
    image, landmarks = tiny_inputs(tiny_model(), 6)
    inputs = {"flow": image.numpy(), "landmarks": landmarks.numpy()}
    out = tmp_path / "variant.onnx"
    convert_file(tiny_bundle, out, variant, inputs)
    bundle = read_bundle(out)  # compares the hash
    assert bundle.card["precision"] == variant
    assert bundle.units == read_bundle(tiny_bundle).units
    with open_engine(tiny_bundle) as single, open_engine(out) as other:
        wanted, got = single(inputs), other(inputs)
    for name in OUTPUTS:
        assert got[name].dtype == np.float32
        spread = np.ptp(wanted[name]) + 1e-3
        assert np.abs(got[name] - wanted[name]).max() < 0.2 * spread, name


def test_a_variant_is_not_converted_again(net, tmp_path):
    half = tmp_path / "half.onnx"
    onnx.save(to_half(net), half)
    with pytest.raises(MicroauError, match="holds fp16; int8-dynamic is made from the fp32 file"):
        convert_file(half, tmp_path / "out.onnx", "int8-dynamic")
    assert not (tmp_path / "out.onnx").exists()


def test_metadata_that_is_not_ours_is_kept(net, tmp_path):
    named = onnx.ModelProto()
    named.CopyFrom(net)
    helper.set_model_props(named, {"author": "somebody"})
    onnx.save(named, tmp_path / "a.onnx")
    convert_file(tmp_path / "a.onnx", tmp_path / "b.onnx", "fp16")
    props = {entry.key: entry.value for entry in load(tmp_path / "b.onnx").metadata_props}
    assert props == {"author": "somebody"}
    assert KEY not in props


# Files


def test_weights_in_another_file_are_refused(net, tmp_path):
    path = tmp_path / "outside.onnx"
    onnx.save(net, path, save_as_external_data=True, location="weights.bin", size_threshold=100)
    with pytest.raises(MicroauError, match="keeps weights in another file"):
        load(path)


@pytest.mark.parametrize(
    ("content", "says"), [(b"no model at all" * 20, "not an ONNX file"), (None, "no such file")]
)
def test_what_is_no_model_is_refused_in_one_line(tmp_path, content, says):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MicroauError, match=says) as error:
        load(path)
    assert "\n" not in str(error.value)


def test_samples_must_fit_the_model(net, tmp_path):
    np.savez(tmp_path / "s.npz", flow=np.zeros((2, 3, 28, 28), np.float32))
    with pytest.raises(MicroauError, match="takes flow, landmarks, the samples hold flow"):
        convert(net, "int8", load_samples(tmp_path / "s.npz"))
    np.savez(tmp_path / "e.npz", flow=np.zeros((0, 3, 28, 28), np.float32))
    with pytest.raises(MicroauError, match="holds no samples"):
        load_samples(tmp_path / "e.npz")
    (tmp_path / "t.npz").write_text("not numpy")
    with pytest.raises(MicroauError, match=r"not an .npz file"):
        load_samples(tmp_path / "t.npz")


def test_pickled_samples_are_not_opened(tmp_path):
    np.savez(tmp_path / "p.npz", flow=np.array([{"a": 1}], object))
    with pytest.raises(MicroauError, match=r"not an .npz file"):
        load_samples(tmp_path / "p.npz")


def test_the_record_of_a_variant_can_be_read_by_anybody(tiny_bundle, tmp_path):
    convert_file(tiny_bundle, tmp_path / "half.onnx", "fp16")
    record = json.loads({e.key: e.value for e in load(tmp_path / "half.onnx").metadata_props}[KEY])
    assert record["card"]["licence"] == "Apache-2.0"
