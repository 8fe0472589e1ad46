"""A bundle says what it is; whatever else is offered in its place is refused in one line."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from tiny import AUS, tiny_inputs, tiny_trained

from microau.engine.bundle import KEY, SPOTTER, graph_sha256, read_bundle, split_model
from microau.engine.describe import DEFAULT_BUNDLE
from microau.engine.errors import MicroauError
from microau.engine.inference import INPUTS, OUTPUTS, open_engine
from microau.engine.scorer import DEFAULT, load_scorer
from microau.export.bundle import Deployed, parity, write_bundle
from microau.export.quantise import convert_file
from microau.export.spotter import main as put_scorer_main
from microau.export.spotter import put_scorer
from microau.training.checkpoint import load, save
from microau.training.layout import Layout


def test_the_bundle_says_what_the_model_is(tiny_bundle):
    bundle, layout = read_bundle(tiny_bundle), Layout.of(AUS)
    assert [unit.au for unit in bundle.units] == list(AUS)
    assert bundle.landmarks == layout.landmarks
    assert [unit.tokens for unit in bundle.units] == list(layout.tokens)
    assert [unit.code for unit in bundle.units if unit.sided] == ["AU04", "AU12"]
    assert bundle.units[0].positive == "The eyebrows are lowering"
    assert bundle.grid == (28, 28)
    assert bundle.card["licence"] == "Apache-2.0"


def test_shapes_are_those_of_the_graph(tiny_bundle):
    graph = onnx.load(tiny_bundle).graph
    bundle = read_bundle(tiny_bundle)
    for value in (*graph.input, *graph.output):
        dims = [d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim]
        assert tuple(dims) == bundle.shapes[value.name], value.name
    assert [v.name for v in graph.input] == list(INPUTS)
    assert [v.name for v in graph.output] == list(OUTPUTS)


def test_the_plain_reader_agrees_with_onnx(tiny_bundle):
    data = tiny_bundle.read_bytes()
    model = onnx.load_from_string(data)
    graph, metadata = split_model(data)
    assert metadata == {entry.key: entry.value for entry in model.metadata_props}
    assert onnx.GraphProto.FromString(graph) == model.graph
    assert read_bundle(tiny_bundle).sha256 == graph_sha256(graph)


def test_onnx_runtime_agrees_with_torch(tiny_bundle):
    trained = tiny_trained()
    image, landmarks = tiny_inputs(trained.model, 7, seed=5)
    gaps = parity(tiny_bundle, Deployed(trained), {"flow": image.numpy(), "landmarks": landmarks.numpy()})
    assert set(gaps) == set(OUTPUTS)
    assert max(largest for largest, _ in gaps.values()) < 1e-4


def test_a_unit_that_is_left_out_is_not_offered_and_changes_no_other(tmp_path):
    trained = tiny_trained()
    fewer = replace(trained, left_out=(17,))
    bundle = write_bundle(fewer, tmp_path / "new folder" / "fewer.onnx", "fewer")
    assert [unit.au for unit in bundle.units] == [4, 12, 25]
    image, landmarks = tiny_inputs(trained.model, 4)
    with torch.no_grad():
        all_units, three = (Deployed(each).eval()(image, landmarks) for each in (trained, fewer))
    for whole, part in zip(all_units[:-1], three[:-1], strict=True):
        np.testing.assert_array_equal(whole[:, [0, 1, 3]], part)
    with open_engine(bundle.path) as engine:
        got = engine({"flow": image.numpy(), "landmarks": landmarks.numpy()})
    assert {name: array.shape for name, array in got.items()} == {
        name: (4, *shape[1:]) for name, shape in bundle.shapes.items() if name in OUTPUTS
    }


def test_what_is_left_out_is_kept_in_the_checkpoint(tmp_path):
    save(replace(tiny_trained(), left_out=(17,)), tmp_path)
    assert load(tmp_path).left_out == (17,)


def test_calibration_is_folded_in(tiny_bundle):
    trained = tiny_trained()
    image, landmarks = tiny_inputs(trained.model, 3)
    with open_engine(tiny_bundle) as engine:
        got = engine({"flow": image.numpy(), "landmarks": landmarks.numpy()})
    logits = trained.model(image, landmarks).logits.detach().numpy()
    odds = (logits[..., 1] - logits[..., 0]) / trained.calibration.temperature[0]
    np.testing.assert_allclose(got["probability"], 1 / (1 + np.exp(-odds)), atol=1e-5)
    unsided = [n for n, unit in enumerate(engine.bundle.units) if not unit.sided]
    np.testing.assert_array_equal(
        got["side_probability"][:, unsided], np.repeat(got["probability"][:, unsided, None], 2, axis=2)
    )


def test_nothing_of_the_machine_is_written_into_it(tiny_bundle):
    data = tiny_bundle.read_bytes()
    assert b"site-packages" not in data
    assert b".py" not in data
    assert str(tiny_bundle.parent).encode() not in data


def test_a_checkpoint_comes_back_whole(tmp_path):
    trained = tiny_trained()
    save(trained, tmp_path)
    back = load(tmp_path)
    image, landmarks = tiny_inputs(trained.model, 2)
    np.testing.assert_array_equal(
        trained.model(image, landmarks).logits.detach(), back.model(image, landmarks).logits.detach()
    )
    assert (back.calibration, back.flow, back.sizes) == (trained.calibration, trained.flow, trained.sizes)


def test_a_folder_without_a_checkpoint_is_said_to_be_one(tmp_path):
    with pytest.raises(MicroauError, match="no checkpoint here"):
        load(tmp_path)


def plain_onnx() -> bytes:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [value], [out])
    return onnx.helper.make_model(graph).SerializeToString()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not an ONNX file"),
        (b"I am a text file, honestly.\n" * 40, "not an ONNX file"),
        (b"\x00\x01\x02" * 99, "not an ONNX file"),
        (plain_onnx(), "not a microau bundle"),
    ],
    ids=["empty", "text", "bytes", "other ONNX"],
)
def test_what_is_no_bundle_is_refused_in_one_line(tmp_path, content, says):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(MicroauError, match=says) as caught:
        read_bundle(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(MicroauError, match="no such model file"):
        read_bundle(tmp_path / "none.onnx")


def altered(tiny_bundle, tmp_path, change):
    """A copy of the bundle whose metadata or graph was changed."""
    model = onnx.load(tiny_bundle)
    change(model)
    path = tmp_path / "altered.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def rewrite(**changes):
    def change(model):
        (entry,) = [entry for entry in model.metadata_props if entry.key == KEY]
        entry.value = json.dumps(json.loads(entry.value) | changes)

    return change


def flip_a_weight(model):
    raw = bytearray(model.graph.initializer[0].raw_data)
    raw[0] ^= 1
    model.graph.initializer[0].raw_data = bytes(raw)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (rewrite(format=99), "bundle format 99"),
        (rewrite(units=[{"au": 1}]), "metadata cannot be read"),
        (rewrite(grid=[28]), "metadata cannot be read"),
        (rewrite(flow={"crop": 224}), "flow specification"),
        (flip_a_weight, "does not match its recorded hash"),
    ],
    ids=["format", "units", "grid", "flow", "weight"],
)
def test_altered_bundles_are_refused(tiny_bundle, tmp_path, change, says):
    with pytest.raises(MicroauError, match=says):
        read_bundle(altered(tiny_bundle, tmp_path, change))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_bundle_is_refused(tiny_bundle, tmp_path, share):
    data = tiny_bundle.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(MicroauError):
        read_bundle(path)


def test_a_bundle_brings_the_spotter_s_scorer(tiny_bundle, tmp_path):
    path = tmp_path / "with.onnx"
    path.write_bytes(tiny_bundle.read_bytes())
    put_scorer(path, load_scorer(DEFAULT))
    bundle = read_bundle(path)
    assert bundle.sha256 == read_bundle(tiny_bundle).sha256  # the network is the same
    assert bundle.scorer is not None
    assert bundle.scorer.to_json() == DEFAULT.read_text(encoding="utf-8")
    assert read_bundle(tiny_bundle).scorer is None


def test_the_shipped_bundle_has_the_shipped_scorer():
    scorer = read_bundle(DEFAULT_BUNDLE).scorer
    assert scorer is not None
    assert scorer.to_json() == DEFAULT.read_text(encoding="utf-8")


def test_a_variant_keeps_the_scorer(tiny_bundle, tmp_path):
    path, half = tmp_path / "with.onnx", tmp_path / "half.onnx"
    path.write_bytes(tiny_bundle.read_bytes())
    put_scorer(path, load_scorer(DEFAULT))
    convert_file(path, half, "fp16")
    assert split_model(half.read_bytes())[1][SPOTTER] == DEFAULT.read_text(encoding="utf-8")


def test_a_bundle_whose_scorer_is_none_is_refused(tiny_bundle, tmp_path):
    model = onnx.load(tiny_bundle)
    onnx.helper.set_model_props(model, split_model(tiny_bundle.read_bytes())[1] | {SPOTTER: "{}"})
    path = tmp_path / "odd.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(MicroauError, match=r"odd\.onnx, 'microau\.spotter': is no scorer"):
        read_bundle(path)


def test_the_command_puts_a_scorer_in_and_says_what_is_wrong(tiny_bundle, tmp_path, capsys):
    path = tmp_path / "with.onnx"
    path.write_bytes(tiny_bundle.read_bytes())
    assert put_scorer_main([str(path), str(DEFAULT)]) == 0
    assert read_bundle(path).scorer is not None
    before = path.read_bytes()
    assert put_scorer_main([str(path), str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["with.onnx"]
