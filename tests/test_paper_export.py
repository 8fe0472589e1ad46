"""The paper's model through microau-export: every variant from one checkpoint, on a prepared data set."""

import json

import numpy as np
import onnx
import pytest
from protocol_cache import put_cache

from microau.engine.bundle import read_bundle
from microau.engine.errors import MicroauError
from microau.engine.inference import OUTPUTS, open_engine
from microau.export.cli import main
from microau.export.material import read_material
from microau.export.quantise import variant_of
from microau.training.calibration import Calibration
from microau.training.checkpoint import Trained, load, save
from microau.training.paper import ClipSizes, PaperOptions, paper_layout, paper_model
from microau.training.paper.checkpoint import paper_flow

UNITS = (1, 4, 12)
SIZES = ClipSizes(
    image=56, patch=8, width=64, visual_width=64, visual_layers=2, visual_heads=2,
    text_width=32, text_layers=2, text_heads=2,
)  # fmt: skip
"""Just wide enough that its MLPs are worth eight bits."""
SPLIT = {"train": ["casme2/sub01", "casme2/sub02"], "validation": ["casme2/sub03"]}
LARGEST = {"fp32": 1e-4, "fp16": 0.01, "int8-dynamic": 0.05, "int8-static": 0.05, "int8": 0.05}
"""Of the difference from torch in any probability."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Everything that one run of the command read and wrote."""
    folder = tmp_path_factory.mktemp("export")
    put_cache(folder / "casme2")
    options = PaperOptions(
        pretrained="random", sizes=SIZES, trainable_layers=1, pta_width=16, head_width=16
    )
    model, n = paper_model(options, paper_layout(UNITS)), len(UNITS)
    calibration = Calibration((1.0,) * n, (0.5,) * n, (1.0,) * n, (100.0,) * n)
    (folder / "run").mkdir()
    save(Trained(model, SIZES, calibration, paper_flow(options), {"split": SPLIT}), folder / "run")
    words = [str(folder / "run"), "--out", str(folder / "paper.onnx"), "--samples", str(folder / "casme2")]
    words += ["--variants", *list(LARGEST)[1:], "--report", str(folder / "report.json")]
    assert main(words) == 0
    return folder


def path_of(folder, variant):
    return folder / ("paper.onnx" if variant == "fp32" else f"paper.{variant}.onnx")


@pytest.mark.parametrize("variant", LARGEST)
def test_each_variant_is_what_it_is_called_and_near_torch(folder, variant):
    model = onnx.load(path_of(folder, variant))
    onnx.checker.check_model(model, full_check=True)
    assert variant_of(model) == variant
    assert model.opset_import[0].version >= 18
    assert not [t for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    (row,) = (r for r in json.loads((folder / "report.json").read_text()) if r["variant"] == variant)
    assert set(row["gap"]) == set(OUTPUTS)
    assert 0 < row["gap"]["probability"][0] < LARGEST[variant]
    assert all(mean <= largest for largest, mean in row["gap"].values())


def test_norms_and_softmax_stay_in_single_precision(folder):
    model = onnx.shape_inference.infer_shapes(onnx.load(path_of(folder, "fp16")))
    known = [*model.graph.value_info, *model.graph.output]
    types = {v.name: v.type.tensor_type.elem_type for v in known}
    kept = [n for n in model.graph.node if n.op_type in ("LayerNormalization", "Softmax")]
    assert {n.op_type for n in kept} == {"LayerNormalization", "Softmax"}
    assert {types[n.output[0]] for n in kept} == {onnx.TensorProto.FLOAT}
    products = [types.get(n.output[0]) for n in model.graph.node if n.op_type == "MatMul"]
    assert onnx.TensorProto.FLOAT16 in products


def test_any_batch_and_no_texts(folder):
    """The batch is dynamic, and the file needs no text tower."""
    with open_engine(path_of(folder, "fp32")) as engine:
        rng = np.random.default_rng(0)
        flow = rng.normal(size=(3, 3, 56, 56)).astype(np.float32)
        points = rng.uniform(0, 224, (3, len(engine.bundle.landmarks), 2)).astype(np.float32)
        together = engine({"flow": flow, "landmarks": points})
        for i in range(3):
            alone = engine({"flow": flow[i : i + 1], "landmarks": points[i : i + 1]})
            np.testing.assert_allclose(together["probability"][i : i + 1], alone["probability"], atol=1e-5)
    assert read_bundle(path_of(folder, "fp32")).emotions


def test_ranges_and_quality_come_from_different_persons(folder):
    material = read_material(folder / "casme2", load(folder / "run"))
    assert len(material.calibration["flow"]) == 8
    assert len(material.judged["flow"]) == len(material.labels) == 4
    rows = {row.tobytes() for row in material.calibration["flow"]}
    assert not rows & {row.tobytes() for row in material.judged["flow"]}


def test_a_split_without_these_persons_is_refused(folder):
    trained = load(folder / "run")
    trained.card["split"]["validation"] = ["casme2/sub99"]
    with pytest.raises(MicroauError, match="none of the persons"):
        read_material(folder / "casme2", trained)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_tensorrt_rtx_builds_an_engine_of_it(folder, precision):
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    from microau.engine.engine_file import read_card
    from microau.export.trt.cli import main as build

    plan = folder / f"{precision}.plan"
    words = ["--onnx", str(path_of(folder, precision)), "--out", str(plan), "--precision", precision]
    assert build([*words, "--flavour", "rtx", "--target", "sm89", "sm120", "--batch", "1", "8", "64"]) == 0
    assert read_card(plan).profile["flow"][2] == (64, 3, 56, 56)
