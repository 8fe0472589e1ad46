"""From generated clips in CASME II's folders to the paper's tables and figures, by the public commands."""

import csv
import json
import shutil

import cv2
import numpy as np
import pytest
from protocol_cache import put_cache
from skimage import data
from test_protocol import TINY_CLIP

from microau.engine.bundle import read_bundle
from microau.engine.errors import MicroauError
from microau.training.cli_data import main as data_main
from microau.training.cli_reproduce import main
from microau.training.cli_train import main as train_main
from microau.training.evaluation.predictions import read_predictions
from microau.training.generate.cli import main as generate_main
from microau.training.paper.rows import ROWS
from microau.training.protocol import reproduce
from microau.training.protocol.learner import make_learner
from microau.training.protocol.reproduce_page import markdown
from microau.training.protocol.settings import Settings, settings_of

FACE = cv2.resize(np.ascontiguousarray(data.astronaut()[:256, 96:352, ::-1]), (512, 512))
BASE = {
    "data": {"units": [1, 4, 12]},
    "protocol": {"kind": "kfold", "folds": 2},
    "learner": {"settings": TINY_CLIP},
    "recipe": {"epochs": 1},
    "select": {"thresholds": "half"},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "base.json"
    path.write_text(json.dumps(BASE))
    return path


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory, base):
    """Tables II and IX and all figures, from a cache whose units are known."""
    root = tmp_path_factory.mktemp("reproduce")
    cache = put_cache(root / "casme2-x", subjects=4, clips=4)
    arguments = ["--table", "II", "III", "X", "--figure", "5", "6", "7", "--data", str(cache)]
    assert main([*arguments, "--out", str(root / "out"), "--config", str(base)]) == 0
    return root / "out"


def test_every_row_stands_beside_the_printed_figure(reproduced):
    page = (reproduced / "report.md").read_text()
    rows = list(csv.DictReader((reproduced / "tables.csv").read_text().splitlines()))
    wanted = [row for table in ("II", "III", "X") for row in ROWS if row.table == table]
    assert [(r["table"], r["row"]) for r in rows] == [(row.table, row.name) for row in wanted]
    for found, row in zip(rows, wanted, strict=True):
        assert found["paper_f1"] == str(row.casme2.f1)
        assert bool(found["f1_macro_or_uf1"]) == (row.settings is not None)
    assert "| LSI only | 0." in page
    for figure in "567":
        assert f"(figure-{figure}.png)" in page
        picture = cv2.imread(str(reproduced / f"figure-{figure}.png"))
        assert picture.std() > 5
    assert cv2.imread(str(reproduced / "table-II.png")).std() > 5


def test_the_figures_are_those_of_the_runs_own_predictions(reproduced):
    """The macro F1 of a row, recounted from the run's table by hand."""
    from sklearn.metrics import f1_score

    settings = settings_of(
        BASE | {"data": BASE["data"] | {"caches": [str(reproduced.parent / "casme2-x")]}}
    )
    line = next(one for one in reproduce.plan(["II"], settings, "casme2") if one.row.name == "LSI only")
    found = read_predictions(reproduced / "runs" / line.folder / "predictions.csv")
    scores = [f1_score(found.labels[:, n], found.decided[:, n], average="macro", zero_division=0)
              for n in range(3)]  # fmt: skip
    rows = list(csv.DictReader((reproduced / "tables.csv").read_text().splitlines()))
    assert float(rows[0]["f1_macro_or_uf1"]) == pytest.approx(np.mean(scores), abs=1e-4)


def test_nothing_is_made_twice(reproduced, base, capsys):
    runs = sorted(path.name for path in (reproduced / "runs").iterdir())
    assert len(runs) == 6  # LSI, GSD, full, fixed, tuned (Add), local OrigCL for Figure 6
    cache = reproduced.parent / "casme2-x"
    main(["--table", "II", "--data", str(cache), "--out", str(reproduced), "--config", str(base)])
    told = capsys.readouterr().err
    assert told.count(" 0 to do") == 3
    assert "epoch" not in told
    assert sorted(path.name for path in (reproduced / "runs").iterdir()) == runs


def test_rows_are_the_settings_of_the_data_set():
    lines = reproduce.plan(["VIII", "IX"], Settings(), "samm")
    by_name = {line.row.name: line for line in lines}
    assert by_name["MiAUCL"].settings.learner.settings == {"alpha": 1.0, "beta": 0.6}
    assert by_name["MiAUCL"].folder == by_name["Micro-AU CLIP"].folder
    assert by_name["No CL"].settings.learner.settings["contrast"] == "none"
    assert by_name["ResNet18"].settings.learner.name == "resnet18"
    assert by_name["logistic regression"].settings.learner.name == "logistic"
    assert by_name["AU-LLM"].settings is None


@pytest.mark.parametrize("dataset", ["casme2", "samm"])
def test_every_row_that_is_run_has_settings_that_make_a_model(dataset):
    for line in reproduce.plan(reproduce.TABLES, Settings(), dataset):
        if line.settings is not None:
            learner = line.settings.learner
            make_learner(learner.name, learner.settings, line.settings.recipe)


def test_a_markdown_table():
    assert markdown(("row", "F1"), [["AU4", 0.5], ["AU12", float("nan")]]).splitlines()[2:] == [
        "| AU4 | 0.500 |",
        "| AU12 | - |",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "nothing to reproduce"),
        (["--table", "XI"], "table XI: there are II, III"),
        (["--figure", "8"], "figure 8: there are 5, 6, 7"),
        (["--table", "II"], "no such folder"),
        (["--table", "II", "--dataset", "casme9"], "no such data set"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, arguments, told):
    assert main([*arguments, "--data", str(tmp_path / "nothing"), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert len(error.strip().splitlines()) == 1


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """Eight clips of four people, all made of one photograph by mirror and light."""
    root = tmp_path_factory.mktemp("chain")
    (root / "photos").mkdir()
    variants = (FACE, FACE[:, ::-1], (FACE * 0.8).astype(np.uint8), (FACE[:, ::-1] * 0.9).astype(np.uint8))
    for number, picture in enumerate(variants):
        cv2.imwrite(str(root / "photos" / f"{number}.png"), picture)
    arguments = [
        "--photos",
        str(root / "photos"),
        "--images",
        "--persons",
        "4",
        "--clips",
        "8",
        "--events",
        "1",
        "1",
    ]
    arguments += [
        "--seconds",
        "1.1",
        "--fps",
        "30",
        "--size",
        "320x240",
        "--confounds",
        "none",
        "--seed",
        "3",
    ]
    assert generate_main([str(root / "CASME2"), *arguments, "--workers", "1", "--quiet"]) == 0
    return root


def test_from_generated_clips_to_tables_and_a_bundle(generated, base, tmp_path, capsys):
    assert data_main(["check", "casme2", str(generated / "CASME2")]) == 0
    assert "8, of which 8 can be used" in capsys.readouterr().out
    out = tmp_path / "out"
    arguments = ["--data", str(generated / "CASME2"), "--out", str(out), "--config", str(base)]
    assert main(["--table", "VI", "--folds", "1", *arguments]) == 0
    assert "### Table VI" in capsys.readouterr().out
    (cache,) = (out / "cache").iterdir()
    settings = tmp_path / "run.json"
    settings.write_text(json.dumps(BASE | {"data": {"caches": [str(cache)], "units": [1, 4, 12]}}))
    checkpoint = tmp_path / "model"
    assert train_main([str(settings), "--out", str(tmp_path / "run"), "--checkpoint", str(checkpoint)]) == 0
    from microau.export.cli import main as export_main

    assert export_main([str(checkpoint), "--out", str(tmp_path / "mine.onnx")]) == 0
    bundle = read_bundle(tmp_path / "mine.onnx")
    assert [unit.au for unit in bundle.units] == [1, 4, 12]
    assert not [
        path for path in checkpoint.iterdir() if path.name not in ("model.json", "weights.safetensors")
    ]


def test_a_baseline_becomes_no_bundle(tmp_path, capsys):
    cache = put_cache(tmp_path / "cache")
    settings = tmp_path / "run.json"
    record = {"data": {"caches": [str(cache)], "units": [4]}, "learner": {"name": "never"},
              "protocol": {"kind": "kfold", "folds": 2}}  # fmt: skip
    settings.write_text(json.dumps(record))
    assert (
        train_main([str(settings), "--out", str(tmp_path / "run"), "--checkpoint", str(tmp_path / "m")])
        == 2
    )
    assert "only the paper's model becomes a bundle" in capsys.readouterr().err


def test_a_clip_with_anothers_frame_stops_everything(generated, base, tmp_path, capsys):
    """The apex of one person's clip is copied over another's: real files, real command."""
    root = tmp_path / "CASME2"
    shutil.copytree(generated / "CASME2", root)
    rows = list(csv.DictReader((root / "CASME2-coding-generated.csv").read_text().splitlines()))
    one, other = (next(r for r in rows if r["Subject"] == who) for who in ("sub01", "sub02"))
    paths = [
        root / "CASME2-RAW" / r["Subject"] / r["Filename"] / f"img{r['ApexFrame']}.jpg"
        for r in (one, other)
    ]
    shutil.copy(paths[0], paths[1])
    loso = tmp_path / "base.json"
    loso.write_text(json.dumps(BASE | {"protocol": {"kind": "loso"}}))
    arguments = [
        "--table",
        "VI",
        "--data",
        str(root),
        "--out",
        str(tmp_path / "out"),
        "--config",
        str(loso),
    ]
    assert main(arguments) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("microau-reproduce: leak: a frame of sub0")
    assert data_main(["check", "casme2", str(root), "--pictures"]) == 0
    assert "shares a picture with sub0" in capsys.readouterr().out


def test_open_data_takes_a_cache_as_it_is(tmp_path):
    cache = put_cache(tmp_path / "cache")
    assert reproduce.open_data(cache, "casme2", tmp_path / "out", 1, print) == cache
    (tmp_path / "empty").mkdir()
    with pytest.raises(MicroauError, match="no label file"):
        reproduce.open_data(tmp_path / "empty", "casme2", tmp_path / "out", 1, print)
