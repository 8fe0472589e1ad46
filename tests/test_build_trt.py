"""TensorRT engines: built without a GPU where that is possible, opened only where they belong."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from nets import token_net
from onnx import helper
from tiny import tiny_inputs, tiny_model

import microau
from microau.engine import cuda_driver
from microau.engine.bundle import KEY, Bundle, read_bundle
from microau.engine.engine_file import (
    BuildOptions,
    EngineRefused,
    card_path,
    read_card,
    sha256,
    write_card,
)
from microau.engine.engines.tensorrt import build_again
from microau.engine.errors import MicroauError
from microau.engine.inference import open_engine
from microau.engine.trt_flavour import import_flavour
from microau.export.onnx_graph import load
from microau.export.quantise import variant_of
from microau.export.trt.builder import _timed
from microau.export.trt.cli import main

ROOT = Path(microau.__file__).parent
SHIPPED = ROOT / "engine" / "assets" / "default.onnx"
rtx = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None, reason="the package tensorrt-rtx is not installed"
)


def has_gpu() -> bool:
    try:
        return bool(cuda_driver.gpus())
    except MicroauError:
        return False


no_gpu = pytest.mark.skipif(has_gpu(), reason="what a machine without a GPU says")


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Calibration inputs of the tiny model."""
    image, landmarks = tiny_inputs(tiny_model(), 8)
    path = tmp_path_factory.mktemp("samples") / "samples.npz"
    np.savez(path, flow=image.numpy(), landmarks=landmarks.numpy())
    return path


@pytest.fixture(scope="module")
def engine(tiny_bundle, tmp_path_factory):
    """A TensorRT-RTX engine of the tiny model, its card and ONNX file beside it."""
    import_or_skip()
    plan = tmp_path_factory.mktemp("engine") / "tiny.plan"
    assert command("--onnx", tiny_bundle, "--out", plan, *RTX) == 0
    return plan


@pytest.fixture
def own_engine(engine, tmp_path):
    """A copy that a test may spoil."""
    for path in engine.parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / engine.name


def import_or_skip() -> None:
    pytest.importorskip("tensorrt_rtx", reason="the package tensorrt-rtx is not installed")


def command(*words: object) -> int:
    return main([str(word) for word in words])


RTX = ("--flavour", "rtx", "--target", "sm89")


# Building


@rtx
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_shipped_model_becomes_an_engine_without_a_gpu(tmp_path, capsys, precision):
    out = tmp_path / "default.plan"
    words = ["--flavour", "rtx", "--target", "sm89", "SM120", "--batch", 1, 4, 16]
    assert command("--onnx", SHIPPED, "--out", out, "--precision", precision, *words) == 0
    card, shipped = read_card(out), read_bundle(SHIPPED)
    assert out.stat().st_size > 100_000
    assert card.engine_sha256 == hashlib.sha256(out.read_bytes()).hexdigest()
    assert card.onnx_sha256 == sha256(tmp_path / card.onnx)
    assert variant_of(load(tmp_path / card.onnx)) == precision
    assert card.options.targets == ("sm89", "sm120")
    assert card.version == import_flavour("rtx").__version__
    assert (card.gpu, card.compute_capability) == ("", "")
    assert card.profile["flow"] == tuple((n, *shipped.shapes["flow"][1:]) for n in (1, 4, 16))
    assert Bundle.from_json(json.loads(card.metadata[KEY]), out).units == shipped.units
    said = capsys.readouterr()
    (row,) = [line for line in said.out.splitlines() if line.startswith("convolution")]
    heads = next(line for line in said.out.splitlines() if line.endswith("int64")).split()
    assert row.split()[1:][heads.index("half" if precision == "fp16" else "float")].isdigit()
    assert ("converted to fp16" in said.err) == (precision == "fp16")


@rtx
@pytest.mark.parametrize("precision", ["int8", "fp8"])
def test_eight_bits_are_measured_on_samples_and_built(tiny_bundle, samples, tmp_path, capsys, precision):
    plan = tmp_path / "tiny.plan"
    words = ["--onnx", tiny_bundle, "--out", plan, *RTX, "--precision", precision]
    assert command(*words) == 2
    assert f"{precision} needs samples" in capsys.readouterr().err
    assert not plan.exists()
    assert command(*words, "--calibration", samples) == 0
    table = capsys.readouterr().out
    assert "quantize" in table
    assert precision in table.rpartition("layers of the network")[2]
    assert variant_of(load(tmp_path / read_card(plan).onnx)) == precision


@rtx
def test_fp8_for_a_card_that_has_none_is_refused_by_name(tiny_bundle, samples, tmp_path, capsys):
    words = ["--flavour", "rtx", "--target", "sm86", "--precision", "fp8", "--calibration", samples]
    assert command("--onnx", tiny_bundle, "--out", tmp_path / "t.plan", *words) == 2
    error = capsys.readouterr().err
    assert "sm86" in error
    assert "fp8" in error
    assert list(tmp_path.glob("*.plan*")) == []


@rtx
def test_the_script_runs_by_its_path(tiny_bundle, tmp_path):
    script = [sys.executable, str(ROOT / "export" / "build_trt.py")]
    words = ["--onnx", str(tiny_bundle), "--out", "t.plan", *RTX, "--precision", "fp32"]
    done = subprocess.run([*script, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "t.plan.json").is_file()
    assert "copied beside the engine" in done.stderr


@rtx
def test_what_the_parser_refuses_is_named_by_its_node(tmp_path, capsys):
    model = token_net()
    bad = next(node for node in model.graph.node if node.name == "/mlp/gelu")
    bad.op_type = "StringNormalizer"
    onnx.save(model, tmp_path / "bad.onnx")
    assert (
        command("--onnx", tmp_path / "bad.onnx", "--out", tmp_path / "b.plan", *RTX, "--precision", "fp32")
        == 2
    )
    assert "node /mlp/gelu (StringNormalizer): operator not supported" in capsys.readouterr().err


@rtx
def test_only_the_batch_may_be_free(tmp_path, capsys):
    info = [helper.make_tensor_value_info(name, 1, ["batch", 3, "width"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], "/relu")], "g", info[:1], info[1:])
    onnx.save(helper.make_model(graph, ir_version=10), tmp_path / "free.onnx")
    assert (
        command("--onnx", tmp_path / "free.onnx", "--out", tmp_path / "f.plan", *RTX, "--precision", "fp32")
        == 2
    )
    assert "input x is (-1, 3, -1): its batch" in capsys.readouterr().err


def test_a_model_is_not_written_over_by_its_engine(tiny_bundle, tmp_path, capsys):
    model = tmp_path / "model.onnx"
    model.write_bytes(tiny_bundle.read_bytes())
    assert command("--onnx", model, "--out", model, *RTX, "--precision", "fp32") == 2
    assert "ends in .plan" in capsys.readouterr().err
    assert model.read_bytes() == tiny_bundle.read_bytes()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--batch", "8", "4", "16"], "--batch 8 4 16: give MIN OPT MAX"),
        (["--batch", "0", "4", "16"], "--batch 0 4 16"),
        (["--optimization-level", "6"], "--optimization-level 6: 0 to 5"),
        (["--workspace", "-1"], "--workspace -1"),
        (["--target", "sm89"], "--target is of TensorRT-RTX"),
        (["--timing-cache", "no-such/t.cache"], "--timing-cache: the folder no-such does not exist"),
        (["--flavour", "rtx", "--hardware-compatible", "same"], "has no --hardware-compatible"),
        (["--flavour", "rtx", "--version-compatible"], "has no --version-compatible"),
        (["--flavour", "rtx", "--timing-cache", "t.cache"], "has no --timing-cache"),
        (["--flavour", "rtx", "--target", "current", "sm89"], "--target current stands alone"),
    ],
)
def test_options_that_do_not_go_together_are_refused_at_once(tiny_bundle, tmp_path, capsys, words, says):
    assert command("--onnx", tiny_bundle, "--out", tmp_path / "t.plan", *words) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@rtx
@no_gpu
@pytest.mark.parametrize("words", [["--strip"], ["--refit"], ["--target", "current"]])
def test_what_needs_a_gpu_says_so_before_anything_is_written(tiny_bundle, tmp_path, capsys, words):
    assert command("--onnx", tiny_bundle, "--out", tmp_path / "t.plan", "--flavour", "rtx", *words) == 2
    assert "needs the GPU: no NVIDIA driver" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@rtx
def test_an_unknown_architecture_lists_the_known_ones(tiny_bundle, tmp_path, capsys):
    words = ["--flavour", "rtx", "--target", "sm42"]
    assert command("--onnx", tiny_bundle, "--out", tmp_path / "t.plan", *words) == 2
    error = capsys.readouterr().err
    assert "--target sm42: this TensorRT-RTX knows" in error
    assert "sm120" in error


def test_a_missing_folder_and_a_missing_model_are_told(tiny_bundle, tmp_path, capsys):
    import_or_skip()
    assert command("--onnx", tiny_bundle, "--out", tmp_path / "no" / "t.plan", *RTX) == 2
    assert "the folder" in capsys.readouterr().err
    assert command("--onnx", tmp_path / "no.onnx", "--out", tmp_path / "t.plan", *RTX) == 2
    assert "no.onnx: no such file" in capsys.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is installed")
def test_a_missing_package_is_named_with_the_way_to_get_it(tiny_bundle, tmp_path, capsys):
    assert command("--onnx", tiny_bundle, "--out", tmp_path / "t.plan") == 2
    assert "pip install 'microau[tensorrt]'" in capsys.readouterr().err


class Config:
    """What a build remembers of kernel times; `takes`: it accepts those it is given."""

    def __init__(self, takes: bool):
        self.takes, self.read = takes, b""

    def create_timing_cache(self, data):
        self.read = data
        return self

    def set_timing_cache(self, cache, ignore_mismatch):
        return self.takes and not ignore_mismatch

    def serialize(self):
        return self.read + b"more"


def test_kernel_times_are_kept_from_build_to_build(tmp_path):
    path = tmp_path / "t.cache"
    for wanted in (b"more", b"moremore"):
        with _timed(Config(takes=True), path):
            pass
        assert path.read_bytes() == wanted


def test_kernel_times_of_another_gpu_are_refused_and_left_alone(tmp_path):
    path = tmp_path / "t.cache"
    path.write_bytes(b"other")
    with (
        pytest.raises(MicroauError, match="as of another GPU or version"),
        _timed(Config(takes=False), path),
    ):
        pass
    assert path.read_bytes() == b"other"
    with pytest.raises(MicroauError, match="cannot be read"), _timed(Config(takes=True), tmp_path):
        pass


def test_every_option_survives_being_written_as_arguments(tmp_path):
    from microau.export.trt.cli import _options, _parser

    options = BuildOptions(
        "tensorrt", "int8", (2, 3, 4), 512, 5, True, "ampere", (), strip=True, refit=True
    )
    words = ["--onnx", "a", "--out", "b", *options.arguments()]
    assert _options(_parser().parse_args(words)) == options
    rtx_options = BuildOptions("rtx", "fp8", targets=("sm89", "sm120"))
    assert _options(_parser().parse_args([*words[:4], *rtx_options.arguments()])) == rtx_options


# Opening


@rtx
@pytest.mark.parametrize("device", ["tensorrt", "cuda"])
def test_without_its_card_an_engine_is_not_opened(own_engine, device):
    card_path(own_engine).unlink()
    with pytest.raises(EngineRefused, match=r"no tiny.plan.json beside it.*or give --rebuild auto"):
        open_engine(own_engine, device)
    with pytest.raises(EngineRefused, match=r"nothing says what it was built for$"):
        open_engine(own_engine, device, rebuild="auto")


@rtx
def test_an_engine_on_the_cpu_is_refused(engine):
    with pytest.raises(MicroauError, match="needs a GPU: --device tensorrt"):
        open_engine(engine, "cpu")


@rtx
@no_gpu
def test_without_a_gpu_it_says_so_and_names_what_would_run(engine):
    with pytest.raises(MicroauError, match=r"device tensorrt:0: .* --device cpu runs the \.onnx"):
        open_engine(engine, "tensorrt")


@rtx
def test_an_engine_of_something_else_is_no_model_of_ours(tmp_path):
    onnx.save(token_net(), tmp_path / "net.onnx")
    plan = tmp_path / "net.plan"
    assert command("--onnx", tmp_path / "net.onnx", "--out", plan, *RTX, "--precision", "fp32") == 0
    with pytest.raises(MicroauError, match="no microau bundle"):
        open_engine(plan, "tensorrt")


@rtx
def test_a_refused_engine_is_built_again_from_its_own_onnx(own_engine):
    """What `--rebuild auto` does; a card of an older version, for architectures that need no GPU here."""
    built = read_card(own_engine)
    old = dataclasses.replace(
        built, version="1.0.0.1", options=dataclasses.replace(built.options, targets=())
    )
    own_engine.write_bytes(b"an engine of an older version")
    write_card(own_engine, old)
    build_again(own_engine)
    fresh = read_card(own_engine)
    assert fresh.version == built.version
    assert fresh.engine_sha256 == sha256(own_engine)
    assert fresh.onnx_sha256 == built.onnx_sha256
    assert fresh.options == old.options


@rtx
def test_nothing_is_built_again_from_a_changed_onnx(own_engine):
    (own_engine.parent / read_card(own_engine).onnx).write_bytes(b"changed")
    with pytest.raises(EngineRefused, match="not the file it was built from"):
        build_again(own_engine)


def test_the_builder_needs_no_torch(tiny_bundle, tmp_path):
    import_or_skip()
    code = (
        "import sys; sys.modules['torch'] = None; from microau.export.trt.cli import main;"
        f"sys.exit(main(['--onnx', {str(tiny_bundle)!r}, '--out', 't.plan', *{list(RTX)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=os.environ, check=False)
    assert done.returncode == 0
