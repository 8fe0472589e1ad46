"""The commands at their door: what a user gets wrong is one line, exit status 2, and leaves no trace."""

import json
import re
import shutil

import av
import cv2
import numpy as np
import onnx
import pytest
from clips import write_video
from commands import SAMPLE, run

from microau.stream.cli import main
from microau.stream.settings import read_config

HIDDEN = "hidden-secret"
"""A password that must not be shown."""


def text_named_mp4(folder):
    (folder / "film.mp4").write_text("This is a letter, not a film.\n" * 100)
    return [folder / "film.mp4"]


def empty_file(folder):
    (folder / "film.mp4").touch()
    return [folder / "film.mp4"]


def truncated(folder):
    whole = write_video(folder / "film.mp4").read_bytes()
    (folder / "film.mp4").write_bytes(whole[: len(whole) // 2])
    return [folder / "film.mp4"]


def audio_only(folder):
    with av.open(str(folder / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return [folder / "sound.mp4"]


def unknown_codec(folder):
    written = write_video(folder / "film.mp4").read_bytes()
    assert b"avc1" in written
    (folder / "film.mp4").write_bytes(written.replace(b"avc1", b"zz9z").replace(b"avcC", b"zz9Z"))
    return [folder / "film.mp4"]


def folder_without_pictures(folder):
    (folder / "frames").mkdir()
    (folder / "frames" / "notes.txt").write_text("none")
    return [folder / "frames", "--fps", "200"]


def pictures_without_rate(folder):
    (folder / "frames").mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / "frames" / f"{number}.png"), np.zeros((64, 64), np.uint8))
    return [folder / "frames"]


def results_in_a_file(folder):
    (folder / "file").touch()
    return [SAMPLE, "--out", folder / "file"]


def results_below_a_file(folder):
    (folder / "file").touch()
    return [SAMPLE, "--out", folder / "file" / "results"]


def results_of_somebody_else(folder):
    (folder / "theirs").mkdir()
    (folder / "theirs" / "events.csv").write_text("mine\n")
    return [SAMPLE, "--out", folder / "theirs"]


def overlay_over_the_input(folder):
    shutil.copy(SAMPLE, folder / "film.mp4")
    return [folder / "film.mp4", "--overlay", folder / "film.mp4"]


def overlay_in_no_folder(folder):
    return [SAMPLE, "--overlay", folder / "none" / "seen.mp4"]


def model_that_is_none(folder):
    (folder / "model.onnx").write_bytes(b"not a model")
    return [SAMPLE, "--model", folder / "model.onnx"]


def settings_file(text):
    def build(folder):
        (folder / "mine.toml").write_text(text)
        return [SAMPLE, "--config", folder / "mine.toml"]

    return build


def given(*arguments):
    return lambda folder: arguments


BAD = {
    "missing file": (given("none.mp4"), "none.mp4: no such file"),
    "no input": (given(), "give one input"),
    "two inputs": (given(SAMPLE, "--camera", "0"), "give one input"),
    "text named .mp4": (text_named_mp4, "film.mp4: not a video"),
    "zero bytes": (empty_file, "film.mp4: .*empty"),
    "truncated": (truncated, "film.mp4: .*(damaged|cut off)"),
    "audio only": (audio_only, "sound.mp4: .*no (picture|video)"),
    "unknown codec": (unknown_codec, "film.mp4: .*(codec|decode)"),
    "folder without pictures": (folder_without_pictures, "frames: .*picture"),
    "pictures without a rate": (pictures_without_rate, "frames: .*fps"),
    "unreachable": (given(f"rtsp://me:{HIDDEN}@127.0.0.1:9/live"), "rtsp://.*127.0.0.1:9/live: "),
    "unreachable over tcp": (given(f"tcp://me:{HIDDEN}@127.0.0.1:9"), "tcp://[*]{3}@127.0.0.1:9: "),
    "unreachable over http": (
        given(f"http://127.0.0.1:9/live.ts?token={HIDDEN}"),
        "http://127.0.0.1:9/live.ts.token=[*]{3}: .*refused",
    ),
    "unknown protocol": (given(f"ftp://me:{HIDDEN}@127.0.0.1/film.mp4"), "ftp://"),
    "playlist of files": (given("concat:a.mp4|b.mp4"), "concat:a.mp4.b.mp4: no such file"),
    "no such camera": (given("--camera", "63"), "camera"),
    "negative camera": (given("--camera", "-1"), "camera"),
    "end before start": (given(SAMPLE, "--start", "3", "--end", "2"), "end 2 s is not after start 3 s"),
    "start after the end": (given(SAMPLE, "--start", "1:00"), "--start 60"),
    "no time": (given(SAMPLE, "--start", "soon"), "'soon' is no time: write seconds"),
    "no number": (given(SAMPLE, "--max-faces", "two"), "--max-faces: 'two' is not a whole number"),
    "impossible number": (given(SAMPLE, "--max-faces", "0"), "max_faces"),
    "unknown option": (given(SAMPLE, "--max-face", "2"), "unrecognized arguments: --max-face"),
    "option without value": (given(SAMPLE, "--model"), "--model: expected one argument"),
    "results in a file": (results_in_a_file, "file: is a file"),
    "results below a file": (results_below_a_file, "results: cannot be written"),
    "results where nothing can be": (given(SAMPLE, "--out", "/proc/microau"), "/proc/microau: cannot be"),
    "overlay where nothing can be": (given(SAMPLE, "--overlay", "/proc/seen.mp4"), "/proc: cannot be"),
    "results of somebody else": (results_of_somebody_else, "theirs: holds events.csv, which is not"),
    "overlay over the input": (overlay_over_the_input, "film.mp4: .*another name"),
    "overlay in no folder": (overlay_in_no_folder, "its folder does not exist"),
    "overlay of another kind": (given(SAMPLE, "--overlay", "seen.avi"), "ends in .mp4"),
    "missing model": (given(SAMPLE, "--model", "none.onnx"), "none.onnx: no such model"),
    "model that is none": (model_that_is_none, "model.onnx: not an ONNX file"),
    "unknown key": (settings_file("[face]\nmax_face = 2"), "face.max_face. Did you mean max_faces"),
    "no settings": (given(SAMPLE, "--config", "none.toml"), "none.toml: No such file"),
    "unknown face models": (given(SAMPLE, "--face-backend", "dlib"), "dlib: give one of"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_one_line_and_leaves_no_trace(name, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    build, message = BAD[name]
    arguments = [*map(str, build(tmp_path))]
    if "--out" not in arguments:
        arguments += ["--out", str(tmp_path / "results")]
    before = contents(tmp_path)
    status = main(arguments)
    said = capfd.readouterr()
    assert re.fullmatch(rf"microau: [^\n]*{message}[^\n]*\n", said.err), said.err
    assert (status, said.out) == (2, "")
    assert contents(tmp_path) == before
    assert HIDDEN not in said.err


@pytest.mark.parametrize("name", ["text named .mp4", "unknown codec", "unreachable", "no such camera"])
def test_the_installed_command_says_the_same(name, tmp_path):
    """In a process of its own, where libraries may print and threads may linger."""
    build, message = BAD[name]
    done = run("microau-stream", *build(tmp_path), "--out", tmp_path / "results", cwd=tmp_path)
    assert re.fullmatch(rf"microau: [^\n]*{message}[^\n]*\n", done.stderr), done.stderr
    assert (done.returncode, done.stdout) == (2, "")
    assert not (tmp_path / "results").exists()


def contents(folder):
    """Every file below a folder with its bytes, every folder with None."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def other_flow(tmp_path_factory, tiny_bundle):
    """A bundle that was trained on another flow."""
    model = onnx.load(tiny_bundle)
    (entry,) = (entry for entry in model.metadata_props if entry.key == "microau")
    record = json.loads(entry.value)
    record["flow"]["algorithm"] = "farneback"
    entry.value = json.dumps(record)
    path = tmp_path_factory.mktemp("other") / "other.onnx"
    onnx.save(model, path)
    return path


def test_a_model_of_another_flow_is_refused(other_flow, tmp_path):
    done = run("microau-stream", SAMPLE, "--model", other_flow, "--out", tmp_path / "results")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "other.onnx: trained on flow" in done.stderr
    assert "farneback" in done.stderr
    assert not (tmp_path / "results").exists()


def test_printed_settings_are_what_the_options_say(tmp_path):
    done = run("microau-stream", "--print-config", "--max-faces", "2", "--end", "1:30", "--no-au-only")
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "mine.toml").write_text(done.stdout)
    config = read_config(tmp_path / "mine.toml")
    assert (config.face.max_faces, config.capture.end) == (2, 90.0)
    again = run("microau-stream", "--print-config", "--config", tmp_path / "mine.toml")
    assert again.stdout == done.stdout


@pytest.mark.parametrize("name", ["microau-stream", "microau-pair"])
def test_help_and_version(name):
    assert run(name, "--version").stdout.startswith("microau ")
    helped = run(name, "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "examples:" in helped.stdout
    assert "candidates" in helped.stdout


def test_pictures_that_are_none_are_refused(tmp_path):
    (tmp_path / "letter.png").write_text("a letter")
    cv2.imwrite(str(tmp_path / "gray.png"), np.full((200, 200), 128, np.uint8))
    for onset, message in (
        ("none.png", "cannot be read"),
        ("letter.png", "not a picture"),
        ("gray.png", "no face"),
    ):
        done = run("microau-pair", onset, "gray.png", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert re.fullmatch(rf"microau: {onset}: [^\n]*{message}[^\n]*\n", done.stderr)
