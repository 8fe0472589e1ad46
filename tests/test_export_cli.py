"""microau-export: what it reports is what the files do, on the persons that it says."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score
from tiny import AUS, tiny_trained

from microau.engine.bundle import read_bundle
from microau.engine.facial_flow import RUNTIME
from microau.engine.flow_image import image_of
from microau.engine.inference import OUTPUTS, open_engine
from microau.export.bundle import Deployed
from microau.export.cli import main
from microau.export.quantise import variant_of
from microau.training.checkpoint import save
from microau.training.fit import Recipe
from microau.training.flow_samples import FlowSamples, write_shard

PERSONS = ("photo/a", "photo/b", "photo/c")
SPLIT = {"train": ["photo/a"], "validation": ["photo/b"], "test": ["photo/c"]}


def flow_samples(count: int = 60) -> FlowSamples:
    """Smooth motion, and amplitudes that are surely moving or surely still."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(0, 2, (count, 7, 7, 2)).repeat(16, 1).repeat(16, 2)
    moving = rng.random((count, len(AUS), 1)) < 0.5
    return FlowSamples(
        flow=coarse.astype(np.float16),
        points=rng.uniform(0, 224, (count, 478, 2)).astype(np.float32),
        amplitude=np.where(moving, 3.0, 0.0).repeat(2, 2).astype(np.float32),
        person=np.arange(count, dtype=np.int32) % 3,
        aus=AUS,
        persons=PERSONS,
        spec=RUNTIME,
    )


@pytest.fixture(scope="module")
def trained():
    return dataclasses.replace(tiny_trained(), card={"split": SPLIT, "licence": "Apache-2.0"})


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """One run of the command; the folder with all that it wrote, and its samples."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "run").mkdir()
    (folder / "samples" / "key").mkdir(parents=True)
    save(trained, folder / "run")
    write_shard(flow_samples(), folder / "samples" / "key" / "all.safetensors")
    words = ["--samples", "samples", "--variants", "fp16", "int8-static", "--calibration", "c.npz"]
    words = [str(folder / w) if w in ("samples", "c.npz") else w for w in words]
    words += ["--report", str(folder / "report.json"), "--out", str(folder / "model.onnx")]
    assert main([str(folder / "run"), *words]) == 0
    return folder


@pytest.fixture(scope="module")
def judged(exported):
    """Inputs and labels of the validation person, made by hand from the samples."""
    samples = flow_samples()
    rows = np.flatnonzero(samples.person == 1)
    positions = list(read_bundle(exported / "model.onnx").landmarks)
    images = np.stack([image_of(samples.flow[i].astype(np.float32), RUNTIME) for i in rows])
    return {"flow": images, "landmarks": samples.points[rows][:, positions]}, samples.amplitude[
        rows, :, 0
    ] > 1


def test_every_variant_is_written_as_what_it_is_called(exported):
    import onnx

    assert variant_of(onnx.load(exported / "model.onnx")) == "fp32"
    assert variant_of(onnx.load(exported / "model.fp16.onnx")) == "fp16"
    assert variant_of(onnx.load(exported / "model.int8-static.onnx")) == "int8-static"


def test_the_figures_are_those_of_the_files_on_the_validation_person(exported, judged):
    inputs, truth = judged
    report = {entry["variant"]: entry for entry in json.loads((exported / "report.json").read_text())}
    assert list(report) == ["fp32", "fp16", "int8-static"]
    for variant in ("fp32", "int8-static"):
        bundle = read_bundle(exported / report[variant]["file"])
        with open_engine(bundle.path) as engine:
            probability = engine(inputs)["probability"]
        decided = probability >= [unit.threshold for unit in bundle.units]
        f1 = [f1_score(truth[:, n], decided[:, n], zero_division=np.nan) for n in range(len(AUS))]
        area = [roc_auc_score(truth[:, n], probability[:, n]) for n in range(len(AUS))]
        assert report[variant]["mean_f1"] == pytest.approx(np.nanmean(f1), abs=1e-6)
        assert report[variant]["mean_auc"] == pytest.approx(np.mean(area), abs=1e-6)


def test_the_gaps_are_those_from_torch(exported, trained, judged):
    inputs, _ = judged
    with torch.no_grad():
        wanted = Deployed(trained).eval()(*map(torch.from_numpy, inputs.values()))
    with open_engine(exported / "model.int8-static.onnx") as engine:
        got = engine(inputs)
    report = {
        entry["variant"]: entry["gap"] for entry in json.loads((exported / "report.json").read_text())
    }
    for name, tensor in zip(OUTPUTS, wanted, strict=True):
        gap = np.abs(got[name] - tensor.numpy())
        assert report["int8-static"][name] == pytest.approx((gap.max(), gap.mean()), rel=1e-3, abs=1e-6)
    assert max(largest for largest, _ in report["fp32"].values()) < 2e-4
    assert report["fp16"]["probability"][0] > report["fp32"]["probability"][0]


def test_only_variants_for_cpus_are_timed_on_one(exported):
    times = {e["variant"]: e["cpu_ms"] for e in json.loads((exported / "report.json").read_text())}
    assert times["fp16"] is None
    assert times["fp32"] > 0
    assert times["int8-static"] > 0


def test_ranges_come_from_persons_that_were_trained_on(exported):
    samples = flow_samples()
    rows = np.flatnonzero(samples.person == 0)
    positions = list(read_bundle(exported / "model.onnx").landmarks)
    with np.load(exported / "c.npz", allow_pickle=False) as kept:
        np.testing.assert_array_equal(kept["landmarks"], samples.points[rows][:, positions])


def test_labels_leave_out_what_is_neither(trained):
    from microau.export.compare import labels_of

    recipe, samples = Recipe(), flow_samples(3)
    samples.amplitude[0, 0] = (recipe.moves + recipe.still) / 2
    units = [type("U", (), {"sided": False, "au": au}) for au in AUS]
    bundle = type("B", (), {"units": units})
    assert labels_of(samples, bundle)[0, 0] == -1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"aus": (1, 2, 5, 6)}, "flow samples are of units"),
        ({"persons": ("x", "y", "z")}, "none of the persons"),
        ({"spec": dataclasses.replace(RUNTIME, unit=9.0)}, "the flow samples"),
    ],
)
def test_samples_that_do_not_belong_are_refused(exported, tmp_path, capsys, change, says):
    write_shard(dataclasses.replace(flow_samples(9), **change), tmp_path / "s.safetensors")
    words = ["--out", str(tmp_path / "m.onnx"), "--samples", str(tmp_path)]
    assert main([str(exported / "run"), *words]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not (tmp_path / "m.onnx").exists()


def test_what_is_missing_is_said_at_once(exported, tmp_path, capsys):
    run, out = str(exported / "run"), ["--out", str(tmp_path / "m.onnx")]
    assert main([run, *out, "--variants", "fp16"]) == 2
    assert "--variants needs --samples" in capsys.readouterr().err
    assert main([str(tmp_path / "nothing"), *out]) == 2
    assert "no checkpoint here" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
