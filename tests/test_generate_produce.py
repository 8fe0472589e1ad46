"""`microau-generate` from the shell to the files, and back through those who read them."""

import csv
import json
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from faces_to_move import astronaut

from microau.engine.errors import MicroauError
from microau.training.datasets import registry
from microau.training.evaluation.files import read_truths
from microau.training.generate.camera import write_video
from microau.training.generate.cli import main
from microau.training.generate.neutral import neutral_frame
from microau.training.generate.people import photo_people
from microau.training.generate.produce import Plan, produce
from microau.training.generate.state import REST, State


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder with one photograph, its face large enough."""
    data = pytest.importorskip("skimage.data")
    folder = tmp_path_factory.mktemp("photos")
    photo = cv2.resize(data.astronaut()[:300, 80:380], None, fx=1.5, fy=1.5)
    cv2.imwrite(str(folder / "one.png"), photo[:, :, ::-1])
    assert astronaut().name == "astronaut"
    return folder


@pytest.fixture(scope="module")
def plan(photos, tmp_path_factory):
    return Plan(
        tmp_path_factory.mktemp("made") / "out", photos=photos, persons=1, clips=2, seconds=1.5,
        fps=(60.0,), size=(192, 160), events=(1, 1), seed=3, workers=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(plan):
    assert sorted(produce(plan)) == [0, 1]
    return plan.out


def test_truth_and_labels_agree(made):
    rows = list(csv.DictReader((made / "labels.csv").read_text().splitlines()))
    assert rows
    for row in rows:
        truth = json.loads((made / "videos" / f"{row['Filename']}.truth.json").read_text())
        micro = [e for e in truth["events"] if e["kind"] == "micro"]
        assert str(micro[0]["onset_frame"]) == row["OnsetFrame"]
        assert "+".join(micro[0]["aus"]) == row["Action Units"]
        assert micro[0]["onset_frame"] / 60 == pytest.approx(micro[0]["onset_s"], abs=1 / 120 + 1e-6)


def test_the_frames_are_as_many_as_the_truth_says(made):
    for path in (made / "videos").glob("*.truth.json"):
        truth = json.loads(path.read_text())
        video = cv2.VideoCapture(str(path.parent / truth["video"]))
        count = 0
        while video.read()[0]:
            count += 1
        assert count == truth["frames"]


def test_evaluation_reads_it(made):
    clips = read_truths(made)
    assert len(clips) == 2
    assert all(len(entry.clip.truth) == 1 for entry in clips)


def test_the_loader_for_ones_own_recordings_reads_it(made):
    loaded = registry.load("plain", made)
    assert len(loaded.samples) == 2
    assert not loaded.problems


def test_any_number_of_workers_gives_the_same_files(plan, made):
    other = replace(plan, out=plan.out.with_name("other"), workers=2)
    list(produce(other))
    files = sorted(p.relative_to(made) for p in made.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(other.out) for p in other.out.rglob("*") if p.is_file())
    assert all((made / name).read_bytes() == (other.out / name).read_bytes() for name in files)


def test_image_sequences_are_read_as_casme2(plan):
    images = replace(plan, out=plan.out.with_name("casme"), images=True, clips=1, seconds=1.2)
    list(produce(images))
    loaded = registry.load("casme2", images.out)
    assert [sample.subject for sample in loaded.samples] == ["sub01"]
    sample = loaded.samples[0]
    assert sample.onset < sample.apex < sample.offset


def test_stopped_early_the_table_holds_what_is_done(plan):
    stopped = replace(plan, out=plan.out.with_name("stopped"))
    making = produce(stopped)
    assert next(making) == 0
    making.close()
    assert len((stopped.out / "labels.csv").read_text().splitlines()) == 2
    assert len(list((stopped.out / "videos").glob("*.mp4"))) == 1


def test_event_free_clips_have_no_labels(photos, tmp_path):
    out = tmp_path / "free"
    status = main([str(out), "--photos", str(photos), "--clips", "1", "--seconds", "1", "--fps", "30",
                   "--size", "128x128", "--event-free", "--workers", "1", "--quiet"])  # fmt: skip
    assert status == 0
    assert len((out / "labels.csv").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--fps", "0"], "fps"),
        (["--size", "640"], "size"),
        (["--amplitude", "4", "1"], "amplitude"),
        (["--confounds", "earthquake"], "earthquake"),
        (["--clips", "0"], "clips"),
        (["--events", "3", "1"], "events"),
        (["--curves", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_mistakes_are_one_line(photos, tmp_path, capsys, options, word):
    status = main([str(tmp_path / "out"), "--photos", str(photos), *options])
    lines = capsys.readouterr().err.strip().splitlines()
    assert status == 2
    assert len(lines) == 1
    assert word in lines[0]
    assert not (tmp_path / "out").exists()


def test_a_photograph_without_a_face_is_named(tmp_path):
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 200, 3), 90, np.uint8))
    with pytest.raises(MicroauError, match=r"wall\.png: no face"):
        list(produce(Plan(tmp_path / "out", photos=tmp_path)))


def test_a_short_video_gives_its_most_neutral_frame(tmp_path):
    """Of a face that opens its mouth and shuts its eyes, the frame before."""
    face = astronaut().build(90.0, False)
    states = [State({"26": 6.0}), State(closure=1.0), REST, State({"26": 3.0}, closure=0.5)]
    pictures = [face.render(s, face.frame((240, 240)), (240, 240)) for s in states for _ in range(3)]
    frames = [np.clip(p, 0, 255).astype(np.uint8) for p in pictures]
    write_video(tmp_path / "me.mp4", ((k / 30, f) for k, f in enumerate(frames)), (240, 240), 30.0, 10)
    rgb, _ = neutral_frame(tmp_path / "me.mp4")
    errors = [np.abs(rgb.astype(float) - frames[3 * k]).mean() for k in range(4)]
    assert int(np.argmin(errors)) == 2
    assert [person.name for person in photo_people(tmp_path)] == ["me"]


def test_a_face_too_small_is_refused(tmp_path):
    data = pytest.importorskip("skimage.data")
    cv2.imwrite(str(tmp_path / "far.png"), cv2.resize(data.astronaut(), None, fx=0.6, fy=0.6)[:, :, ::-1])
    with pytest.raises(MicroauError, match=r"far\.png: \d+ pixels between the eyes"):
        photo_people(tmp_path)


def test_photographs_may_move_as_the_3d_face(photos, media, tmp_path):
    npz = media / "face3d" / "ict_facekit.npz"
    if not npz.is_file():
        pytest.skip("no 3D face")
    out = tmp_path / "mixed"
    common = ["--photos", str(photos), "--face3d", str(npz), "--clips", "1", "--persons", "1", "--quiet"]
    small = ["--seconds", "1", "--fps", "30", "--size", "128x128", "--workers", "1"]
    assert main([str(out), *common, *small]) == 2  # which of the two is not said
    assert main([str(out), *common, *small, "--geometry", "mixed"]) == 0
    assert json.loads(next(out.rglob("*.truth.json")).read_text())["geometry"] == "mixed"


def test_the_command_needs_no_torch():
    """Whoever only wants clips installs the small set."""
    code = "import sys, microau.training.generate.cli as c; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_is_written_over(photos, tmp_path):
    (tmp_path / "thesis.txt").write_text("five years of work")
    with pytest.raises(MicroauError, match="not empty"):
        list(produce(Plan(tmp_path, photos=photos)))
