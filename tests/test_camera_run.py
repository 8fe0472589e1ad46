"""`microau-stream --camera N` as a user runs it, on the V4L2 driver of data/fake_v4l2.c: FFmpeg's real V4L2
input, PyAV and all stages of the analysis lie between that driver and what is said and written here.

/dev/video40 is a link to the file that plays the camera: where /dev cannot be written, tests are skipped.
"""

import csv
import json
import os
import re
import signal
import struct
import subprocess
import time
from fractions import Fraction
from pathlib import Path

import av
import fake_camera
import pytest
from commands import SAMPLE, run, script

NUMBER = 40
DEVICE = Path(f"/dev/video{NUMBER}")
RATE = 100
"""Every second frame of the sample."""


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """Environment in which camera 40 is there."""
    folder = tmp_path_factory.mktemp("camera")
    library, memory, film = fake_camera.built(folder), folder / "memory", folder / "film"
    memory.write_bytes(bytes(fake_camera.BUFFERS))
    try:
        DEVICE.symlink_to(memory)
    except OSError as error:
        pytest.skip(f"{DEVICE}: {error.strerror}")
    try:
        write_film(film)
        yield environment(library, memory, film)
    finally:
        DEVICE.unlink()


def environment(library, memory, film):
    return {
        **os.environ,
        "LD_PRELOAD": str(library),
        "FAKE_V4L2": str(memory),
        "FAKE_V4L2_FILM": str(film),
        "FAKE_V4L2_FPS": str(RATE),
    }


def write_film(path):
    """The sample's frames as the driver wants them."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.qmin, encoder.qmax = 640, 480, "yuvj420p", 2, 2
    encoder.time_base = Fraction(1, RATE)
    with av.open(str(SAMPLE)) as clip, path.open("wb") as film:
        for number, frame in enumerate(clip.decode(video=0)):
            if number % 2 == 0:
                picture = frame.reformat(format="yuvj420p")
                picture.pts, picture.time_base = number // 2, encoder.time_base
                for packet in encoder.encode(picture):
                    film.write(struct.pack("=I", packet.size) + bytes(packet))


def stream(driver, *arguments, **behaviour):
    env = driver | {f"FAKE_V4L2_{name}": str(value) for name, value in behaviour.items()}
    return run("microau-stream", "--camera", NUMBER, *arguments, env=env)


def test_a_busy_camera_is_one_line_and_leaves_no_trace(driver, tmp_path):
    done = stream(driver, "--fps", "200", "--out", tmp_path / "results", BUSY=1)
    assert done.stderr == f"microau: camera {DEVICE}: in use by another program\n"
    assert (done.returncode, done.stdout) == (2, "")
    assert not (tmp_path / "results").exists()


def test_a_camera_that_may_not_be_read_is_one_line(driver, tmp_path):
    done = stream(driver, "--out", tmp_path / "results", DENIED=1)
    assert done.stderr == f"microau: camera {DEVICE}: not allowed; is the user in the group 'video'?\n"
    assert (done.returncode, done.stdout) == (2, "")


def test_no_such_camera_names_those_there_are(driver):
    done = run("microau-stream", "--camera", NUMBER + 1, env=driver)
    assert done.returncode == 2
    assert done.stderr.startswith(f"microau: camera /dev/video{NUMBER + 1} does not exist; there are: ")
    assert str(DEVICE) in done.stderr
    assert done.stderr.count("\n") == 1


def test_unplugged_in_the_middle_what_was_found_is_kept(driver, tmp_path):
    """The cable is pulled when the first event has been printed."""
    cable = tmp_path / "cable"
    cable.touch()
    command = [script("microau-stream"), "--camera", str(NUMBER), "--out", tmp_path / "results"]
    asked = ["--width", "1920", "--height", "1080", "--fps", "500"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        command + asked, env=driver | {"FAKE_V4L2_CABLE": str(cable)}, **pipes
    ) as running:
        first = running.stdout.readline()
        cable.unlink()
        rest, said = running.communicate(timeout=60)
    assert running.returncode == 2
    last = f"camera {DEVICE} broke off (No such device); is it plugged in?"
    *_, summary, error = said.splitlines()
    assert error == f"microau: {last}"
    assert re.match(r"microau: [1-9]\d* candidate event", summary)
    assert summary.endswith(f"results in {tmp_path / 'results'}")
    wish = f"{DEVICE} was asked for 1920x1080 at 500 frames/s; its driver set 640x480, 100 frames/s, mjpeg"
    assert f"microau: {wish}\n" in said
    made = json.loads((tmp_path / "results" / "run.json").read_text())
    assert (made["status"], made["ending"]) == ("failed", last)
    assert wish in made["notices"]
    assert made["input"]["live"]
    with open(tmp_path / "results" / "events.csv", newline="") as file:
        events = list(csv.DictReader(file))
    printed = [json.loads(line) for line in (first + rest).splitlines()]
    assert len(printed) == len(events) == made["counts"]["events"] >= 1
    assert {one["aus"] for one in printed} == {one["aus"] for one in events}


def test_a_signal_ends_a_live_run_with_its_files(driver, tmp_path):
    command = [script("microau-stream"), "--camera", str(NUMBER), "--out", tmp_path]
    with subprocess.Popen(command, env=driver, stderr=subprocess.PIPE, text=True) as running:
        end = time.monotonic() + 60
        while not (tmp_path / "frames.csv").exists() or (tmp_path / "frames.csv").stat().st_size < 30_000:
            assert time.monotonic() < end
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=30)[1]
    assert running.returncode == 130
    assert "Traceback" not in said
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "interrupted"
