"""The annotated copy: the input's own times, an event drawn while it lasts, and nothing left half done."""

import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from records import event, face, row

from microau.engine.errors import MicroauError
from microau.engine.records import Frame, Picture
from microau.stream.annotation import annotate, canvas_size, strip_height
from microau.stream.sinks import overlay
from microau.stream.sinks.overlay import Overlay, check_overlay
from microau.stream.trace import Trace

WIDTH, HEIGHT = 200, 150
BASE = Fraction(1, 1000)
STEADY = tuple(range(0, 2000, 20))
"""Milliseconds: two seconds at 50 fps."""


def frame(index, ms, width=WIDTH, height=HEIGHT, level=110):
    rows, columns = np.mgrid[:height, :width]
    rgb = np.stack(
        [level + 40 * columns / width, level - 30 * rows / height, 0 * rows + level - 20], axis=-1
    )
    return Frame(index, ms, BASE, ms / 1000, Picture.from_rgb(rgb.astype(np.uint8)))


def write(path, stamps=STEADY, told=(), delay_s=0.5, width=WIDTH, height=HEIGHT):
    """An overlay whose events become known `delay_s` after their onset, as in a run."""
    sink = Overlay(path, delay_s)
    waiting = sorted(told, key=lambda one: one.onset_s)
    for index, ms in enumerate(stamps):
        sink.row(row(index, ms / 1000, motion=1 + np.sin(ms / 100)))
        while waiting and waiting[0].onset_s + delay_s <= ms / 1000:
            sink.event(waiting.pop(0))
        sink.frame(frame(index, ms, width, height), [face(width, height)])
    sink.close()
    return pictures(path)


def pictures(path):
    """Time in seconds -> (rows, columns, 3) RGB as float."""
    with av.open(str(path)) as container:
        return {f.time: f.to_ndarray(format="rgb24").astype(float) for f in container.decode(video=0)}


def test_frames_keep_their_times_also_where_they_are_uneven(tmp_path):
    rng = np.random.default_rng(3)
    stamps = np.cumsum(rng.integers(1, 90, 60)).tolist()
    seen = write(tmp_path / "o.mp4", stamps)
    assert np.allclose(list(seen), (np.array(stamps) - stamps[0]) / 1000, atol=1e-6)


def test_an_event_is_drawn_while_it_lasts_and_only_then(tmp_path):
    smile = event(onset_s=0.8, apex_s=0.9, offset_s=1.1)
    with_event, without = write(tmp_path / "a.mp4", told=[smile]), write(tmp_path / "b.mp4")
    drawn = [
        time
        for time, picture in with_event.items()
        if np.abs(picture[:HEIGHT] - without[time][:HEIGHT]).mean() > 2
    ]
    assert np.allclose(drawn, np.arange(0.8, 1.101, 0.02))


def test_the_picture_below_the_drawing_is_the_input(tmp_path):
    seen = write(tmp_path / "o.mp4")
    corner = np.s_[HEIGHT - 30 : HEIGHT - 2, 2:40]  # beside the face
    for index, ms in list(enumerate(STEADY))[::25]:
        wanted = frame(index, ms).picture.rgb()[corner].astype(float)
        assert np.abs(seen[ms / 1000][corner] - wanted).mean() < 3


@pytest.mark.parametrize(("width", "height"), [(97, 75), (201, 150), (64, 64), (640, 361)])
def test_odd_and_small_sizes_are_written(tmp_path, width, height):
    seen = write(tmp_path / "o.mp4", STEADY[:5], width=width, height=height)
    rows, columns, _ = next(iter(seen.values())).shape
    assert (rows, columns) == canvas_size(height, width)
    assert rows % 2 == columns % 2 == 0
    assert 0 <= columns - width <= 1


@pytest.mark.parametrize(("height", "width"), [(360, 640), (1080, 1920), (2160, 3840)])
def test_writing_grows_with_the_picture(height, width):
    """The corner's text takes the same share of the picture's width and height at every size."""

    def share(rows, columns):
        canvas = annotate(frame(0, 0, columns, rows, level=40), [], [], Trace())
        y, x = np.nonzero(canvas[: rows // 4].max(axis=-1) > 130)
        return np.array([np.ptp(y) / rows, np.ptp(x) / columns])

    assert np.allclose(share(height, width) / share(360, 640), 1, atol=0.25)


def test_the_trace_rises_with_the_motion():
    """The highest bright point of the strip stands where the motion was largest."""
    trace = Trace()
    for ms in range(0, 3000, 20):
        trace.add(row(ms, ms / 1000, motion=4.0 * np.exp(-(((ms - 2000) / 150) ** 2))))
    canvas = annotate(frame(150, 3000), [], [], trace)
    strip = canvas[HEIGHT:].astype(int)
    green = (strip[:, :, 1] - strip[:, :, 0] > 60) & (strip[:, :, 1] > 140)  # the colour of face 0
    highest = np.argwhere(green)[0]
    assert abs(highest[1] / WIDTH - 2 / 3) < 0.04
    assert highest[0] < 0.4 * strip_height(HEIGHT, WIDTH)


def test_frames_held_back_are_bounded_in_bytes(tmp_path, monkeypatch):
    size = frame(0, 0).picture.luma.size * 3 // 2
    monkeypatch.setattr(overlay, "HELD_BYTES", 10 * size)
    sink = Overlay(tmp_path / "o.mp4", delay_s=1000.0)
    for index, ms in enumerate(STEADY):
        sink.frame(frame(index, ms), [])
        assert len(sink._held) <= 10
    sink.close()
    assert len(pictures(tmp_path / "o.mp4")) == len(STEADY)


@pytest.mark.parametrize("live", [False, True])
def test_a_recording_waits_for_the_drawing_and_a_camera_does_not(tmp_path, monkeypatch, live):
    gate, draw = threading.Event(), overlay.annotate

    def slowly(*told):
        assert gate.wait(10)
        return draw(*told)

    monkeypatch.setattr(overlay, "annotate", slowly)
    sink = Overlay(tmp_path / "o.mp4", 0.0, live=live)
    if not live:
        gate.set()
    for index, ms in enumerate(STEADY):
        sink.frame(frame(index, ms), [])
    gate.set()
    sink.close()
    seen = pictures(tmp_path / "o.mp4")
    assert len(seen) == (overlay.WAITING if live else len(STEADY))
    assert (f"{len(STEADY) - overlay.WAITING} frames left out" in sink.remark) == live
    assert np.allclose(list(seen), [ms / 1000 for ms in STEADY[: len(seen)]])


def test_an_overlay_leaves_no_thread(tmp_path):
    write(tmp_path / "o.mp4", STEADY[:5])
    assert not [one for one in threading.enumerate() if one.name.startswith("overlay")]


def test_two_frames_of_one_moment_do_not_break_the_file(tmp_path):
    seen = write(tmp_path / "o.mp4", [0, 20, 20, 40])
    assert np.allclose(list(seen), [0, 0.02, 0.04])


def test_no_frame_no_file(tmp_path):
    Overlay(tmp_path / "o.mp4", 0.5).close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_finished_is_not_there(tmp_path):
    sink = Overlay(tmp_path / "o.mp4", 0.0)
    for index, ms in enumerate(STEADY[:10]):
        sink.frame(frame(index, ms), [])
    assert not (tmp_path / "o.mp4").exists()
    sink.close()
    assert [one.name for one in tmp_path.iterdir()] == ["o.mp4"]


def test_our_overlay_may_be_written_again_and_nothing_else(tmp_path):
    path = tmp_path / "o.mp4"
    check_overlay(path)
    write(path, STEADY[:3])
    check_overlay(path)
    for other in (b"", b"precious", _video(tmp_path / "other.mp4")):
        path.write_bytes(other)
        with pytest.raises(MicroauError, match="exists and is not an overlay of microau"):
            check_overlay(path)
        assert path.read_bytes() == other


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(MicroauError, match="its folder does not exist"):
        check_overlay(tmp_path / "none" / "o.mp4")


def _video(path):
    """Somebody's own recording."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8))))
        container.mux(stream.encode(None))
    return path.read_bytes()


def test_a_label_stays_inside_a_narrow_picture():
    """A face at the very top left, a long label: nothing is drawn outside, the text is cut."""
    small = face(120, 90)
    small.points[:, :2] -= small.points[:, :2].min(axis=0)
    long = event(onset_s=0.0, offset_s=1.0, flags=("blink", "speech", "head", "small_face"))
    canvas = annotate(frame(0, 500, 120, 90), [small], [long], Trace())
    assert canvas.shape == (*canvas_size(90, 120), 3)
    plain = annotate(frame(0, 500, 120, 90), [small], [], Trace())
    assert np.abs(cv2.absdiff(canvas, plain)[:90]).mean() > 5


def test_a_face_too_small_to_be_measured_is_gray(tmp_path):
    """Where it cannot be measured, nothing of the face's own colour is drawn."""

    def colours(success):
        sink = Overlay(tmp_path / "o.mp4", 0.0)
        sink.row(row(0, 0.0, success=success))
        sink.frame(frame(0, 0, level=40), [face()])
        sink.close()
        (picture,) = pictures(tmp_path / "o.mp4").values()
        return (picture[:HEIGHT, :, 1] - picture[:HEIGHT, :, 0] > 40).sum()

    assert colours(success=True) > 100
    assert colours(success=False) == 0


FILL = """
import resource, sys
sys.path.insert(0, {tests!r})
from test_overlay import *
sink = Overlay(Path({path!r}), 0.0)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
noise = np.random.default_rng(0)
for told in ("told", "closed"):
    try:
        for index in range(200 if told == "told" else 0):
            rgb = noise.integers(0, 255, (120, 160, 3)).astype(np.uint8)
            sink.frame(Frame(index, 20 * index, BASE, index / 50, Picture.from_rgb(rgb)), [])
        if told == "closed":
            sink.close()
    except MicroauError as error:
        print(told, error)
"""


@pytest.mark.parametrize("limit", [1000, 300_000])
def test_a_full_disk_leaves_no_overlay(tmp_path, limit):
    path = tmp_path / "o.mp4"
    script = FILL.format(path=str(path), tests=str(Path(__file__).parent), limit=limit)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f"closed {path}: cannot be written: File too large" in done.stdout
    assert list(tmp_path.iterdir()) == []
