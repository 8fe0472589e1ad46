"""The benchmark that is run blind on a GPU: its lines as far as they go without one, and its isolation."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from microau.engine.engine_file import read_card

ROOT = Path(__file__).parents[1]


def run(*words):
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_part_runs_dry_and_agrees():
    done, lines = run("--dry-run", "--parts", "gathering")
    assert done.returncode == 0, done.stdout + done.stderr
    measured = [line for line in lines if "p50_ms" in line]
    assert [line["what"] for line in measured] == [
        "gathering, launched",
        "gathering by torch",
        "token numbers and gathering as a graph",
    ]
    assert all(line["equals_torch"] for line in measured)


def test_what_hangs_or_fails_in_a_part_is_told_and_the_others_go_on():
    """Without a GPU both parts fail by themselves. The simulator's flow needs far more than a second."""
    pytest.importorskip("torch")
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done, lines = run("--parts", "card", "gathering")
    assert done.returncode == 1
    errors = [line for line in lines if "error" in line]
    assert [line["part"] for line in errors] == ["card", "gathering"]
    assert all("finds no GPU" in line["error"] for line in errors)
    done, lines = run("--dry-run", "--parts", "flow", "gathering", "--seconds", "1.05")
    assert [line["error"] for line in lines if "error" in line] == [
        "stopped after its 1 seconds",
        "no time left",
    ]
    assert lines[-1]["events_described_s"] is None


def test_the_paper_s_model_is_the_one_that_is_trained(monkeypatch):
    """The benchmark builds it without open_clip; the weights of the parts must be as many."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from gpu_networks import Paper

    from microau.training.paper import PaperOptions, paper_layout, paper_model

    def sizes(*parts):
        return [sum(p.numel() for p in part.parameters()) for part in parts]

    here = Paper()
    trained = paper_model(PaperOptions(pretrained="random"), paper_layout((1, 2, 4, 7, 12, 14, 15, 17)))
    assert sizes(here.tower, here.attend, here.depend, here.heads) == sizes(
        trained.visual, trained.pool, trained.fuse, trained.heads
    )


@pytest.mark.parametrize("name", ["default", "paper", "vit-b-32"])
def test_the_models_can_be_recorded(monkeypatch, name):
    """Nothing in them asks the card for a number: on 'meta' there is none."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import torch
    from gpu_networks import MODELS

    module = MODELS[name]().half().to("meta").eval()
    given = [torch.zeros((2, *shape), device="meta") for shape in module.shapes.values()]
    with torch.no_grad():
        outputs = module(*given)
    first = outputs[0] if isinstance(outputs, tuple) else outputs
    assert len(first) == 2


def test_an_engine_is_built_from_the_bundle_where_tensorrt_is(monkeypatch, tmp_path):
    """TensorRT-RTX stands for it as far as a machine without a GPU goes: to the engine and its opening."""
    pytest.importorskip("tensorrt_rtx", reason="the package tensorrt-rtx is not installed")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu_models

    bundle = ROOT / "engine" / "assets" / "default.onnx"
    built = gpu_models.built_engine(bundle, "fp16", [1, 4, 16], tmp_path, "rtx")
    assert read_card(built).options.batch == (1, 4, 16)
    assert read_card(built).options.precision == "fp16"


def test_faces_follow_from_the_best_lines(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu

    found = gpu.faces([{"events_s": 50}, {"events_s": 900}, {"pairs_s": 4100}, {"what": "else"}])
    assert found["faces_at_1_event_a_second"] == 900
    assert found["faces_with_tvl1_on_every_frame"] == 20
