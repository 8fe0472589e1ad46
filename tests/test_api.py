"""microau in Python: light to import, the same answers as the commands, tables of what is installed."""

import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest
from clips import write_video
from commands import SAMPLE, run
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import microau
from microau.engine.records import Face
from microau.engine.registration import apply, crop_matrix
from microau.stream.api import table
from microau.stream.columns import event_columns
from microau.stream.pair import follow_head

END = 1.7
DRAWN = (2.8, -2.8)
"""Shift of the left mouth corner in percent of the eye distance, outwards and up."""


@pytest.fixture(scope="module")
def result(tiny_bundle):
    return microau.analyze_video(SAMPLE, end=END, model=str(tiny_bundle))


@pytest.fixture(scope="module")
def photograph():
    """(512, 512, 3) RGB: Eileen Collins, NASA, public domain."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut())


def smiling(photograph):
    """The photograph with its left mouth corner, and what is around it, shifted by DRAWN."""
    from microau.engine.faces import find_faces
    from microau.engine.records import Picture

    (face,) = find_faces(Picture.from_rgb(photograph))
    y, x = np.mgrid[:512, :512].astype(np.float32)
    away = np.hypot(x - face.points[291, 0], y - face.points[291, 1]) / face.oed
    near = np.exp(-((away / 0.25) ** 2))
    dx, dy = (near * face.oed * percent / 100 for percent in DRAWN)
    return cv2.remap(photograph, x - dx, y - dy, cv2.INTER_CUBIC)


def test_importing_it_loads_nothing_heavy():
    heavy = {"cv2", "av", "numba", "numpy", "onnxruntime"}
    script = f"import sys, microau; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_every_name_it_promises_is_there():
    assert set(microau.__all__) <= set(dir(microau))
    for name in microau.__all__:
        assert getattr(microau, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        _ = microau.analyse


def test_tables_are_those_of_the_command(result, tmp_path, tiny_bundle):
    import pandas

    done = run("microau-stream", SAMPLE, "--end", END, "--model", tiny_bundle, "--out", tmp_path)
    assert done.returncode == 0
    for name, ours in (("events", result.events), ("frames", result.frames)):
        written = pandas.read_csv(tmp_path / f"{name}.csv", keep_default_na=False)
        assert written.astype(str).equals(ours.astype(str))
    assert len(result.events)


def test_the_run_is_told(result):
    assert result.run["status"] == "done"
    assert result.run["counts"]["frames"] == 340 == len(result.frames)
    assert any("640x480" in sentence for sentence in result.notices)


def test_a_stream_yields_the_same_events_as_they_are_decided(result, tiny_bundle):
    with microau.Stream(SAMPLE, end=END, model=str(tiny_bundle)) as stream:
        events = list(stream)
    assert [event.onset_frame for event in events] == result.events["onset_frame"].tolist()
    assert [event.aus for event in events] == result.events["aus"].tolist()


def test_leaving_a_stream_early_leaves_no_thread(tiny_bundle):
    before = threading.active_count()
    with microau.Stream(SAMPLE, model=str(tiny_bundle)) as stream:
        for item in stream.items():
            if item.frame == 5:
                break
    assert threading.active_count() == before


def test_a_stream_can_be_stopped_from_outside(tiny_bundle):
    with microau.Stream(SAMPLE, model=str(tiny_bundle)) as stream:
        rows = 0
        for _ in stream.items():
            rows += 1
            if rows == 10:
                stream.stop()
    assert rows == 10
    assert stream.run["ending"] == "stopped"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "none.mp4"}, "none.mp4: no such file"),
        ({"path": SAMPLE, "max_face": 2}, r"unknown setting max_face\. Did you mean max_faces\?"),
        ({"path": SAMPLE, "max_faces": "2"}, r"face\.max_faces must be a whole number"),
        ({"path": SAMPLE, "config": {"faces": {}}}, r"unknown group \[faces\]"),
        ({"path": SAMPLE, "start": 3, "end": 2}, "end 2 s is not after start 3 s"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(microau.MicroauError, match=message):
        microau.analyze_video(**arguments)


TABLES = {
    "pandas": ([], lambda frame: frame.to_dict("records")),
    "polars": (["pandas"], lambda frame: frame.to_dicts()),
    "lists": (["pandas", "polars"], lambda rows: rows),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_are_of_what_is_installed_and_hold_the_same(monkeypatch, result, kind):
    absent, records = TABLES[kind]
    rows = list(result.events.itertuples(index=False, name=None))
    expected = result.events.to_dict("records")
    for package in absent:
        monkeypatch.setitem(sys.modules, package, None)
    made = table(event_columns(result.run["model"]["units"]), rows)
    assert type(made).__module__.split(".")[0] == {"lists": "builtins"}.get(kind, kind)
    assert records(made) == expected
    assert rows


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_an_analysis_gives_typed_tables_also_where_nothing_was_found(monkeypatch, kind, tiny_bundle):
    library = pytest.importorskip(kind)
    if kind == "polars":
        monkeypatch.setitem(sys.modules, "pandas", None)
    found = microau.analyze_video(SAMPLE, end=0.1, model=str(tiny_bundle))
    assert isinstance(found.events, library.DataFrame)
    assert (found.events.shape, found.frames.shape) == ((0, 17), (20, 18))
    kinds = [str(found.events[name].dtype).lower() for name in ("onset_frame", "onset_s", "aus", "AU12_p")]
    assert kinds[:2] + kinds[3:] == ["int64", "float64", "float64"]
    assert kinds[2] in ("object", "str", "string")
    assert found.frames["timestamp"].to_list() == [round(0.005 * n, 6) for n in range(20)]
    assert list(found.run["columns"]["frames.csv"]) == list(found.frames.columns)
    assert list(found.run["columns"]["events.csv"]) == list(found.events.columns)


def test_a_pair_says_which_point_moved(photograph, tiny_bundle):
    pair = microau.analyze_pair(photograph, smiling(photograph), model=str(tiny_bundle))
    first = pair.explanation[0]
    assert first.place == "left mouth corner"
    assert np.allclose(first.shift, DRAWN, atol=0.8)
    assert pair.aus.keys() == {"AU04", "AU12", "AU17", "AU25"}
    assert pair["present"] == list(pair.present)


def test_a_pair_of_one_picture_shows_no_movement(photograph, tiny_bundle):
    pair = microau.analyze_pair(photograph, photograph, model=str(tiny_bundle))
    assert all(np.hypot(*movement.shift) < 0.05 for movement in pair.explanation)


def test_a_pair_does_not_mind_where_the_head_is(photograph, tiny_bundle):
    """The second picture shifted, turned and larger: the same movement is found."""
    turn = cv2.getRotationMatrix2D((250, 150), 4, 1.1)
    turn[:, 2] += (6, -9)
    moved = cv2.warpAffine(smiling(photograph), turn, (512, 512), flags=cv2.INTER_CUBIC)
    pair = microau.analyze_pair(photograph, moved, model=str(tiny_bundle))
    first = pair.explanation[0]
    assert first.place == "left mouth corner"
    assert np.allclose(first.shift, DRAWN, atol=1.0)


def test_files_and_arrays_give_the_same(photograph, tiny_bundle, tmp_path):
    apex = smiling(photograph)
    paths = [tmp_path / "onset.png", tmp_path / "apex.png"]
    for path, picture in zip(paths, (photograph, apex), strict=True):
        cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    there = microau.analyze_pair(*paths, model=str(tiny_bundle)).to_dict()
    assert there == microau.analyze_pair(photograph, apex, model=str(tiny_bundle)).to_dict()


def test_the_command_prints_the_pair(photograph, tiny_bundle, tmp_path):
    import json

    path = tmp_path / "still.png"
    cv2.imwrite(str(path), cv2.cvtColor(photograph, cv2.COLOR_RGB2BGR))
    done = run("microau-pair", path, path, "--json", "--model", tiny_bundle)
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    assert list(printed)[:4] == ["aus", "present", "emotion", "emotion_scores"]
    assert all(0 <= probability <= 1 for probability in printed["aus"].values())
    assert printed["emotion"] in ("positive", "negative", "surprise", "other")


@pytest.mark.parametrize("array", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8)])
def test_an_array_that_is_no_picture_is_refused(array):
    with pytest.raises(microau.MicroauError, match="the onset array is"):
        microau.analyze_pair(array, array)


def test_a_video_is_no_picture(tmp_path):
    write_video(tmp_path / "film.mp4")
    with pytest.raises(microau.MicroauError, match="is not a picture"):
        microau.analyze_pair(tmp_path / "film.mp4", tmp_path / "film.mp4")


@settings(deadline=None)
@given(angle=st.floats(-0.5, 0.5), scale=st.floats(0.7, 1.4), x=st.floats(-90, 90), y=st.floats(-90, 90))
def test_a_head_that_moved_as_a_whole_is_followed_exactly(angle, scale, x, y):
    """A point of the crop shows the same place of the head in both pictures."""
    rng = np.random.default_rng(1)
    points = rng.uniform(100, 400, (478, 3)).astype(np.float32)
    points[33, :2], points[263, :2] = (200, 250), (300, 250)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = points.copy()
    moved[:, :2] = points[:, :2] @ turn.T + (x, y)
    assume(np.linalg.norm(moved - points, axis=1).min() > 3)
    matrix = crop_matrix(points)
    followed = follow_head(matrix, Face(0, points, 1.0), Face(0, moved, 1.0))
    corners = np.array([[0.0, 0], [223, 0], [0, 223]])
    gap = apply(followed, corners) - (apply(matrix, corners) @ turn.T + (x, y))
    assert np.abs(gap).max() < 0.01


def test_a_head_that_stood_still_keeps_its_crop():
    rng = np.random.default_rng(1)
    points = rng.uniform(100, 400, (478, 3)).astype(np.float32)
    points[33, :2], points[263, :2] = (200, 250), (300, 250)
    trembling = points + rng.normal(0, 0.5, points.shape).astype(np.float32)
    matrix = crop_matrix(points)
    assert follow_head(matrix, Face(0, points, 1.0), Face(0, trembling, 1.0)) is matrix
