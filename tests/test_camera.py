"""Cameras: what the driver set is said, its stamps are kept, losses are counted, failures are one line.

The V4L2 driver is played by data/fake_v4l2.c below FFmpeg's real V4L2 input; a second process is needed,
since the loader takes it in only at the start. A synthetic FFmpeg device runs the same class in this one.
"""

import itertools
import json
import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import fake_camera
import numpy as np
import pytest
from clips import drawing, number_of, write_video

from microau import MicroauError
from microau.stream.capture import Capture
from microau.stream.inputs import open_source
from microau.stream.sources import camera as cameras
from microau.stream.sources.opencv_camera import OpenCvCamera

# One request a line: environment of the driver, what is asked for, how many frames to take.
CHILD = """
import itertools, json, os, sys, time
from pathlib import Path
from microau import MicroauError
from microau.stream.capture import Capture
from microau.stream.sources import camera
for line in sys.stdin:
    asked = json.loads(line)
    for name in [name for name in os.environ if name.startswith("FAKE_V4L2_")]:
        del os.environ[name]
    os.environ.update(asked["driver"])
    camera.STALL_S = 0.4
    told = {"frames": [], "error": ""}
    try:
        size, fps = (asked["width"], 480), asked["fps"]
        source = camera.open_v4l2(Path(os.environ["FAKE_V4L2"]), size=size, fps=fps)
        said = source.probe
        told["probe"] = [said.width, said.height, float(said.fps), said.codec, said.pixel_format, said.live]
        time.sleep(asked["wait"])
        with Capture(source) as capture:
            kept = list(itertools.islice(capture, asked["count"]))  # alive after the camera is closed
            for frame in kept:
                told["frames"].append([frame.index, frame.time, frame.missing])
        told["luma"] = [int(frame.picture.luma.mean()) for frame in kept]
    except MicroauError as error:
        told["error"] = str(error)
    print(json.dumps(told), flush=True)
"""


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Open the fake camera with this driver behaviour and tell what came."""
    folder = tmp_path_factory.mktemp("v4l2")
    library, device, jpeg = fake_camera.built(folder), folder / "video0", folder / "frame.jpg"
    device.write_bytes(bytes(fake_camera.BUFFERS))
    cv2.imwrite(str(jpeg), drawing(9, 640, 480))
    environment = {**os.environ, "LD_PRELOAD": str(library), "FAKE_V4L2": str(device)}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def answer(*, count=40, fps=200, width=640, wait=0, mjpeg=False, **driver):
        settings = {f"FAKE_V4L2_{name}": str(value) for name, value in driver.items()}
        if mjpeg:
            settings["FAKE_V4L2_JPEG"] = str(jpeg)
        child.stdin.write(
            json.dumps({"driver": settings, "count": count, "fps": fps, "width": width, "wait": wait})
            + "\n"
        )
        child.stdin.flush()
        return json.loads(child.stdout.readline())

    yield answer
    child.stdin.close()
    child.wait(timeout=10)
    child.stdout.close()


@pytest.mark.parametrize(
    ("driver", "codec", "pixel_format"),
    [
        ({"mjpeg": True}, "mjpeg", "gray"),
        ({}, "rawvideo", "yuyv422"),
        ({"RAW": "GREY"}, "rawvideo", "gray"),
    ],
)
def test_v4l2_frames_and_the_kernels_stamps(ask, driver, codec, pixel_format):
    told = ask(**driver)
    assert told["probe"] == [640, 480, 200, codec, pixel_format, True]
    assert [index for index, _, _ in told["frames"]] == list(range(40))
    assert [round(moment * 200, 3) for _, moment, _ in told["frames"]] == list(range(40))
    assert sum(missing for _, _, missing in told["frames"]) == 0
    if codec == "rawvideo":  # each picture its own, also after the driver's memory is gone
        steps = np.diff(told["luma"])
        assert steps.min() >= 0
        assert told["luma"][-1] - told["luma"][0] >= 30


def test_the_drivers_choice_is_told_not_the_wish(ask):
    told = ask(fps=500, width=1920, FPS=120)
    assert told["probe"][:3] == [640, 480, 120]
    assert [round(moment * 120, 3) for _, moment, _ in told["frames"]] == list(range(40))


@pytest.mark.parametrize("fault", ["SKIP", "BROKEN"])
def test_a_frame_that_the_driver_lost_or_marked_as_broken_is_missing(ask, fault):
    told = ask(count=120, **{fault: 100})  # not among those that a slow machine finds stale
    gaps = [number for number, (_, _, missing) in enumerate(told["frames"]) if missing]
    assert len(gaps) == 1
    (before, _), (after, missing) = (frame[1:] for frame in told["frames"][gaps[0] - 1 : gaps[0] + 1])
    assert missing == 1
    assert after - before == pytest.approx(2 / 200)


def test_what_waited_in_the_driver_is_not_taken_for_new(ask):
    """While the models are loaded nobody reads: the driver's buffers fill and the rest is lost."""
    told = ask(wait=0.5)
    moments = [moment for _, moment, _ in told["frames"]]
    assert np.allclose(np.diff(moments), 1 / 200)


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        ({"BUSY": 1}, "in use by another program"),
        ({"GONE": 20}, "broke off (No such device); is it plugged in?"),
        ({"STALL": 20}, "gives no pictures (none for 0.4 s)"),
        ({"STALL": 0}, "gives no pictures (none for 0.4 s)"),
    ],
)
def test_camera_failures_are_one_line(ask, driver, words):
    told = ask(**driver)
    assert words in told["error"]
    assert "\n" not in told["error"]


def test_cameras_that_are_not_there(tmp_path):
    with pytest.raises(MicroauError, match="camera /dev/video97 does not exist; there are: "):
        cameras.open_v4l2(Path("/dev/video97"))
    (tmp_path / "video0").write_bytes(b"\0")
    with pytest.raises(MicroauError, match="not a camera"):
        cameras.open_v4l2(tmp_path / "video0")
    with pytest.raises(MicroauError, match="--width and --height together"):
        open_source(camera=0, width=640)
    for wrong in ({"camera": -1}, {"camera": 0, "fps": 0}, {"camera": 0, "width": 0, "height": 480}):
        with pytest.raises(MicroauError, match="positive"):
            open_source(**wrong)


def synthetic(rate=200, size="640x480", count=10**9):
    """FFmpeg's own synthetic device, at the pace of a camera."""
    description = f"testsrc2=rate={rate}:size={size},trim=end_frame={count},realtime,format=yuv420p"
    return cameras.DeviceStream(av.open(description, format="lavfi"), "synthetic")


def test_live_at_200_fps_nothing_is_lost():
    with Capture(synthetic(count=300)) as capture:
        frames = list(capture)
    assert [frame.index for frame in frames] == list(range(300))
    assert [round(frame.time * 200, 6) for frame in frames] == list(range(300))
    assert not capture.dropped
    assert capture.source.probe.fps == Fraction(200)
    assert capture.source.probe.live


def test_a_reader_that_is_too_slow_gets_the_newest_and_the_count():
    with Capture(synthetic(), max_frames=8) as capture:
        frames = []
        for frame in capture:
            frames.append(frame)
            time.sleep(0.02)
            if frame.index > 120:
                break
    assert capture.dropped["buffer_full"] > 40
    for last, frame in itertools.pairwise(frames):
        assert frame.index - last.index == frame.missing + 1
        assert frame.time - last.time == pytest.approx((frame.missing + 1) / 200)


def test_leaving_a_live_device_is_quick():
    with Capture(synthetic()) as capture:
        next(iter(capture))
        began = time.monotonic()
    assert time.monotonic() - began < 0.5


def test_opencv_camera_stamps_on_arrival_and_ends_loudly(tmp_path, capfd):
    """The class for macOS and Windows, fed by a file in place of a device number."""
    path = write_video(tmp_path / "clip.mp4", 20)
    frames = []
    gone = pytest.raises(MicroauError, match="still plugged in")
    with OpenCvCamera(str(path), size=(96, 64), fps=30) as camera, gone:
        frames.extend(camera)
    drawn = [number_of(frame.picture.luma) for frame in frames]
    assert drawn == list(range(1, 20))  # the first was looked at on opening
    assert all(after.time > before.time for before, after in itertools.pairwise(frames))
    with pytest.raises(MicroauError, match="does not exist, is in use"):
        OpenCvCamera(str(tmp_path / "absent.mp4"))
    assert capfd.readouterr().err == ""  # OpenCV's own complaints are held back
