"""Preparing a data set: the runtime's own steps, kept by content, the same on any number of processes."""

import hashlib
import json

import cv2
import numpy as np
import pytest
from dataset_folders import HEADER2, put_xlsx, row2
from skimage import data

from microau.engine.errors import MicroauError
from microau.engine.face_models import open_models
from microau.engine.faces import find_faces
from microau.engine.facial_flow import facial_flow
from microau.engine.landmarks import IBUG68
from microau.engine.records import Picture
from microau.engine.registration import CROP, crop_matrix, to_crop
from microau.training.cli_data import main
from microau.training.datasets import registry
from microau.training.datasets.registry import load
from microau.training.prepare.cache import read_cache
from microau.training.prepare.config import PrepareConfig
from microau.training.prepare.pair import Preparer
from microau.training.prepare.run import cache_folder, prepare

FACE = np.ascontiguousarray(data.astronaut()[:256, 96:352])  # 256 x 256, one face


def raised_brow(percent):
    """The photograph with the brow on the picture's left moved up by a soft patch of that many pixels."""
    rows, columns = np.indices(FACE.shape[:2], dtype=np.float32)
    weight = np.exp(-(((columns - 105) / 16) ** 2 + ((rows - 82) / 9) ** 2))
    return cv2.remap(
        FACE, columns, rows + percent * weight, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def put_clip(folder, moved):
    """Frames 1 to 5: the brow goes up and comes down."""
    folder.mkdir(parents=True)
    for number, share in enumerate((0, 0.5, 1, 0.5, 0), 1):
        picture = cv2.cvtColor(raised_brow(share * moved), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"img{number}.png"), picture)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two clips of a face, one of a wall, and one whose apex nobody coded."""
    root = tmp_path_factory.mktemp("casme2")
    rows = [
        row2(1, "EP1", 1, 3, 5, "R1", "others"),
        row2(1, "EP2", 1, 3, 5, "1", "surprise"),
        row2(2, "EP3", 1, 3, 5, "4", "others"),
        row2(2, "EP4", 1, "/", 5, "4?", "others"),
    ]
    put_xlsx(root / "CASME2-coding-20140508.xlsx", [HEADER2, *rows])
    put_clip(root / "raw/sub01/EP1", 2.0)
    put_clip(root / "raw/sub01/EP2", 1.2)
    put_clip(root / "raw/sub02/EP4", 1.6)
    wall = root / "raw/sub02/EP3"
    wall.mkdir()
    for number in range(1, 6):
        cv2.imwrite(str(wall / f"img{number}.png"), np.full((256, 256, 3), 90 + number, np.uint8))
    return root


@pytest.fixture(scope="module")
def cache(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("cache")
    config = PrepareConfig()
    done = list(prepare(load("casme2", folder), out, config, workers=1))
    return done, read_cache(cache_folder("casme2", out, config))


def test_every_sample_is_prepared_or_failed_with_its_reason(cache):
    done, kept = cache
    assert [d.sample.clip for d in done] == ["EP1", "EP2", "EP3", "EP4"]
    assert [entry.clip for entry in kept.entries] == ["EP1", "EP2"]
    assert kept.failed["sub02/EP3/1"] == "no face in the onset frame"
    assert kept.failed["sub02/EP4/1"].startswith("no apex")
    assert [bool(d.why) for d in done] == [False, False, True, True]


def test_arrays_are_those_of_the_engine(cache):
    """The same functions that a stream calls, one by one."""
    kept = cache[1]
    prepared = kept.load(kept.entries[0])
    onset, apex = Picture.from_rgb(FACE), Picture.from_rgb(raised_brow(2.0))
    face = find_faces(onset, models=open_models("onnx"))[0]
    matrix = crop_matrix(face.points)
    crops = [picture.warp_luma(matrix, (CROP, CROP)) for picture in (onset, apex)]
    points = to_crop(face.points, matrix)
    np.testing.assert_array_equal(prepared.onset, crops[0])
    np.testing.assert_array_equal(prepared.apex, crops[1])
    np.testing.assert_allclose(prepared.onset_points, points, atol=1e-4)
    np.testing.assert_array_equal(prepared.flow, facial_flow(*crops, points).astype(np.float16))


def test_the_brow_that_moved_is_where_the_flow_is(cache):
    kept = cache[1]
    prepared = kept.load(kept.entries[0])
    upward = -prepared.flow[..., 1].astype(float)
    row, column = np.unravel_index(np.argmax(upward), upward.shape)
    brow = prepared.onset_points[[70, 63, 105, 66, 107], :2].mean(axis=0)  # the subject's right
    assert np.hypot(column - brow[0], row - brow[1]) < 25
    assert upward.max() > 1.0


def test_labels_come_back_with_side_and_doubt(cache):
    first = cache[1].entries[0]
    assert (first.subject, first.emotion, first.apex, first.rate) == ("sub01", "others", 3, 200.0)
    assert str(first.code) == "R1"


def test_a_stopped_run_goes_on_and_only_labels_are_written_again(folder, tmp_path):
    config, loaded = PrepareConfig(), load("casme2", folder)
    run = prepare(loaded, tmp_path, config, workers=1)
    assert next(run).fresh
    run.close()  # stopped after the first
    again = list(prepare(loaded, tmp_path, config, workers=1))
    assert [d.fresh for d in again] == [False, True, False, False]
    assert not list(tmp_path.rglob("*.partial"))


def test_any_number_of_processes_gives_the_same_files(folder, cache, tmp_path):
    config = PrepareConfig()
    done = list(prepare(load("casme2", folder), tmp_path, config, workers=2))
    assert [d.sample.clip for d in done] == [d.sample.clip for d in cache[0]]
    one, two = cache[1].folder, cache_folder("casme2", tmp_path, config)
    assert sorted(p.name for p in one.iterdir()) == sorted(p.name for p in two.iterdir())
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes()


def test_the_middle_can_stand_for_a_missing_apex(folder, tmp_path):
    config = PrepareConfig(missing_apex="middle")
    list(prepare(load("casme2", folder), tmp_path, config, workers=1))
    entries = read_cache(cache_folder("casme2", tmp_path, config)).entries
    assert {entry.clip: entry.apex for entry in entries}["EP4"] == 3


@pytest.mark.parametrize("how", ["flow", "phase"])
def test_magnified_motion_is_larger(how):
    still, moved = FACE, raised_brow(0.8)
    plain = Preparer(PrepareConfig())(still, moved)
    larger = Preparer(PrepareConfig(magnification=how, factor=3))(still, moved)
    size = [np.abs(p.flow.astype(float))[60:110, 50:120].max() for p in (plain, larger)]
    assert 1.7 < size[1] / size[0] < 3.6


def test_settings_that_change_the_arrays_change_the_folder():
    keys = {
        PrepareConfig().key(),
        PrepareConfig(magnification="flow").key(),
        PrepareConfig(magnification="flow", factor=5).key(),
        PrepareConfig(missing_apex="middle").key(),
    }
    assert len(keys) == 4
    assert PrepareConfig(factor=5).key() == PrepareConfig().key()  # without magnification it means nothing


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"magnification": "lens"}, "is not known"),
        ({"factor": 0.5}, "factor must lie"),
        ({"magnification": "learned"}, "needs its weights"),
        ({"weights": "x.safetensors"}, "needs its weights"),
        ({"missing_apex": "guess"}, "missing_apex must be"),
    ],
)
def test_impossible_settings_are_refused(settings, told):
    with pytest.raises(MicroauError, match=told):
        PrepareConfig(**settings)


def test_the_command(folder, tmp_path, capsys):
    assert main(["prepare", "casme2", str(folder), "--out", str(tmp_path), "--workers", "1"]) == 0
    printed = capsys.readouterr()
    assert printed.out.strip().endswith("2 prepared, 0 there already, 2 failed")
    assert "3/4 sub02/EP3/1: no face in the onset frame" in printed.err
    assert (
        main(["prepare", "casme2", str(folder), "--out", str(tmp_path), "--workers", "1", "--quiet"]) == 0
    )
    assert "0 prepared, 2 there already, 2 failed" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, "{", json.dumps({"samples": [{"key": 1}]})])
def test_a_folder_that_is_no_cache(tmp_path, content):
    if content is not None:
        (tmp_path / "index.json").write_text(content, encoding="utf-8")
    with pytest.raises(MicroauError, match=r"no prepared data set|no index"):
        read_cache(tmp_path)


def test_the_token_under_every_landmark_is_kept(cache):
    """Equation 1 by hand: the row and column of a 7 x 7 grid in which each of the 68 points lies."""
    kept = cache[1]
    prepared = kept.load(kept.entries[0])
    for point, token in zip(prepared.apex_points[IBUG68], prepared.tokens, strict=True):
        assert token == min(int(point[1] // 32), 6) * 7 + min(int(point[0] // 32), 6)


def test_pictures_are_known_by_their_hashes(cache, folder):
    """Onset, apex and offset; the clip ends as it began."""
    first = cache[1].entries[0]
    pixels = [load_rgb(folder / f"raw/sub01/EP1/img{n}.png") for n in (1, 3, 5)]
    wanted = [hashlib.sha256(repr(p.shape).encode() + p.tobytes()).hexdigest() for p in pixels]
    assert list(first.pictures) == wanted
    assert wanted[0] == wanted[2] != wanted[1]


def load_rgb(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


LAYOUTS = {
    "casme2": ("CASME2-coding-20140508.xlsx", [[HEADER2, row2(1, "EP1", 1, 3, 5, "4")]], "raw/sub01/EP1"),
    "samm": (
        "SAMM_Micro_FACS_Codes_v2.xlsx",
        [
            [
                ["Subject", "Filename", "Onset Frame", "Apex Frame", "Offset Frame", "Action Units"],
                ["006", "006_1_2", 1, 3, 5, "4"],
            ]
        ],
        "SAMM/006/006_1_2",
    ),
    "smic-hs": ("", [], "HS/s01/micro/negative/s01_ne_01"),
    "smic-vis": ("", [], "VIS/s01/micro/negative/s01_ne_01"),
    "smic-nir": ("", [], "NIR/s01/micro/negative/s01_ne_01"),
    "casme-sq": (
        "CAS(ME)^2code_final.xlsx",
        [
            [[1, "anger1_1", 1, 3, 5, "4", "negative", "micro-expression", "anger"]],
            ("naming rule1", [[15, "s15", 1]]),
            ("naming rule2", [["0401", "anger1"]]),
        ],
        "rawpic/s15/15_0401girlcrashing",
    ),
    "samm-lv": (
        "SAMM_LongVideos_V3_Release.xlsx",
        [
            (
                "FACS_Movement_Only",
                [
                    ["Subject", "Filename", "Onset", "Apex", "Offset", "Type", "Action Units"],
                    ["006", "006_1_2", 1, 3, 5, "Micro - 1/2", "4"],
                ],
            )
        ],
        "SAMM_longvideos/006_1",
    ),
    "casme3": (
        "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx",
        [
            (
                "label",
                [
                    ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"],
                    ["spNO.1", "a", 1, 3, 5, "4", 3, "disgust"],
                ],
            )
        ],
        "part_A/spNO.1/a/color",
    ),
    "casme3-c": (
        "CAS(ME)3_part_C_ME.xlsx",
        [[["sub", "count", "au", "onset", "offset"], [3, 1, "4", 1, 5]]],
        "part_C/03/1/color",
    ),
    "casme": (
        "casme.xlsx",
        [
            [
                ["Emotion", "Subject", "Filename", "OnsetF", "ApexF1", "ApexF2", "OffsetF", "AUs"],
                ["tense", 1, "EP01_5", 1, 3, 4, 5, "4"],
            ]
        ],
        "CASME_raw_selected/sub01/EP01_5",
    ),
    "mmew": (
        "MMEW_Micro_Exp.xlsx",
        [
            [
                [
                    "Subject",
                    "Filename",
                    "OnsetFrame",
                    "ApexFrame",
                    "OffsetFrame",
                    "Action Units",
                    "Estimated Emotion",
                ],
                ["S02", "S02-01-001", 1, 3, 5, "4", "disgust"],
            ]
        ],
        "Micro_Expression/disgust/S02-01-001",
    ),
    "fourdme": (
        "4DME_Labelling_Micro_release v1.xlsx",
        [[["sub_ID", "fold_name", "Onset", "Apex", "Offset", "AUs"], [1, "1_a", 1, 3, 5, "AU4"]]],
        "gray_micro/1/1_a",
    ),
    "plain": (
        "labels.xlsx",
        [
            [
                ["Subject", "Filename", "Onset", "Apex", "Offset", "Action Units"],
                ["anna", "clip7", 1, 3, 5, "4"],
            ]
        ],
        "clip7",
    ),
}
"""Every data set: its label file, the file's sheets, the folder of the one clip's frames."""


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_data_set_is_prepared(tmp_path, name):
    """One face that moves, in each set's own layout; then the apex is lost, which is one line."""
    assert set(LAYOUTS) == set(registry.LAYOUTS)
    file, sheets, clip = LAYOUTS[name]
    if file:
        put_xlsx(tmp_path / "set" / file, *sheets)
    put_clip(tmp_path / "set" / clip, 2.0)
    config = PrepareConfig(missing_apex="middle")
    (done,) = prepare(load(name, tmp_path / "set"), tmp_path / "out", config, workers=1)
    assert (done.why, done.fresh) == ("", True)
    kept = read_cache(cache_folder(name, tmp_path / "out", config))
    (entry,) = kept.entries
    assert (entry.dataset, entry.onset, entry.apex, entry.offset, len(entry.pictures)) == (name, 1, 3, 5, 3)
    assert np.abs(kept.load(entry).flow.astype(float)).max() > 1.0
    (tmp_path / "set" / clip / "img3.png").write_bytes(b"no picture")
    (again,) = prepare(load(name, tmp_path / "set"), tmp_path / "broken", config, workers=1)
    assert again.why.endswith("img3.png: no readable image")
    assert "\n" not in again.why
