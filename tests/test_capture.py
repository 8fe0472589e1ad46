"""The capture thread: a file loses nothing, a camera loses the oldest and says so, nothing stays behind."""

import contextlib
import itertools
import signal
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
from clips import number_of, write_video

from microau.engine.records import Frame, Picture
from microau.stream.capture import Capture, size
from microau.stream.inputs import open_source
from microau.stream.source import Probe, Source

PICTURE = Picture(np.zeros((48, 64), np.uint8))
BYTES = 48 * 64


class Ticking(Source):
    """Gives numbered frames, one every `pause` seconds; may end, break, or go on for ever."""

    def __init__(self, count=None, *, pause=0.0, live=False, error=None, lost=(), slack=0.0):
        super().__init__()
        self.probe = Probe("camera" if live else "file", "ticking", 64, 48, live=live)
        self.given = 0
        self.slack = slack
        self.closed = False
        self._count, self._pause, self._error, self._lost = count, pause, error, lost

    def _frames(self):
        for number in itertools.count() if self._count is None else range(self._count):
            time.sleep(self._pause)
            self.given = number + 1
            missing = 1 if number in self._lost else 0
            now = time.monotonic()
            yield Frame(number, number, Fraction(1, 200), number / 200, PICTURE, now, missing)
        if self._error:
            raise self._error

    def close(self):
        self.closed = True


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "capture"] == []


def wait_for(condition):
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_a_recording_waits_for_a_slow_reader_and_loses_nothing():
    source = Ticking(100)
    with Capture(source, max_frames=5) as capture:
        wait_for(lambda: capture.waiting == 5)
        time.sleep(0.05)
        assert source.given <= 6  # five in the buffer, one in the thread's hand
        assert [frame.index for frame in capture] == list(range(100))
    assert sum(capture.dropped.values()) == 0
    assert source.closed


def test_the_buffer_is_bound_in_bytes_and_one_frame_always_fits():
    source = Ticking(50)
    with Capture(source, max_bytes=3 * BYTES + 1) as capture:
        wait_for(lambda: capture.waiting == 3)
        time.sleep(0.05)
        assert source.given == 4
    with Capture(Ticking(20), max_bytes=1) as capture:
        assert [frame.index for frame in capture] == list(range(20))


def test_size_counts_every_plane():
    half = np.zeros((24, 32), np.uint8)
    frame = Frame(0, 0, Fraction(1), 0.0, Picture(PICTURE.luma, (half, half)))
    assert size(frame) == BYTES * 3 // 2


def test_a_camera_drops_its_oldest_and_marks_the_hole():
    source = Ticking(200, live=True, lost={150})
    with Capture(source, max_frames=8) as capture:
        wait_for(lambda: source.given == 200)
        frames = list(capture)
    assert [frame.index for frame in frames] == list(range(192, 200))
    assert capture.dropped == {"buffer_full": 192}
    assert frames[0].missing == 192 + 1  # the one that the source had lost is not forgotten
    assert all(frame.missing == 0 for frame in frames[1:])


def test_however_slow_the_reader_every_frame_is_delivered_or_missing():
    random = np.random.default_rng(4)
    source = Ticking(400, live=True, pause=0.0005)
    with Capture(source, max_frames=4) as capture:
        frames = []
        for frame in capture:
            frames.append(frame)
            time.sleep(random.choice([0, 0, 0.01]))
    for last, frame in itertools.pairwise(frames):
        assert frame.index - last.index == frame.missing + 1
    assert len(frames) + capture.dropped["buffer_full"] == 400
    assert capture.dropped["buffer_full"] > 0


def test_a_reader_that_keeps_up_loses_nothing():
    with Capture(Ticking(200, live=True, pause=0.001)) as capture:
        assert [frame.index for frame in capture] == list(range(200))
    assert not capture.dropped


def test_a_network_stream_may_be_read_late_but_not_for_ever():
    """At first 200 frames lie in its buffer; a reader at 500 a second catches up and loses none."""
    with Capture(Ticking(200, live=True, slack=0.5), max_frames=4) as capture:
        assert [frame.index for frame in capture if not time.sleep(0.002)] == list(range(200))
    assert not capture.dropped
    # Then it comes at 200 a second and the reader takes 100: behind by the slack, it drops.
    with Capture(Ticking(200, live=True, slack=0.1, pause=0.005), max_frames=4) as capture:
        frames = [frame for frame in capture if not time.sleep(0.01)]
    assert capture.dropped["buffer_full"] > 20
    assert all(
        later.missing == later.index - sooner.index - 1 for sooner, later in itertools.pairwise(frames)
    )


def test_one_frame_in_the_buffer_is_enough():
    with Capture(Ticking(100, live=True, pause=0.0005), max_frames=1) as capture:
        frames = list(capture)
    assert len(frames) + sum(frame.missing for frame in frames) == 100


@pytest.mark.parametrize("live", [False, True])
def test_what_the_thread_raises_is_raised_here_after_what_came_before(live):
    seen = []
    with pytest.raises(ZeroDivisionError, match="broken"):  # noqa: SIM117, PT012
        with Capture(Ticking(7, error=ZeroDivisionError("broken"), live=live)) as capture:
            for frame in capture:
                seen.append(frame.index)
    assert seen == list(range(7))


@pytest.mark.parametrize("pause", [0.0, 0.002])
@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("error", [None, KeyError, KeyboardInterrupt, GeneratorExit])
def test_leaving_early_leaves_no_thread(live, error, pause):
    source = Ticking(live=live, pause=pause)
    capture = Capture(source, max_frames=3)
    with contextlib.suppress(error or ()), capture:
        for frame in capture:
            if frame.index >= 5:
                if error:
                    raise error
                break
    assert source.closed
    assert capture.waiting == 0


def test_stop_still_gives_what_was_read():
    source = Ticking()
    with Capture(source, max_frames=10) as capture:
        frames = iter(capture)
        assert next(frames).index == 0
        wait_for(lambda: capture.waiting == 10)
        capture.stop()
        assert [frame.index for frame in frames][:10] == list(range(1, 11))


def test_stop_with_discard_gives_nothing_more():
    with Capture(Ticking(), max_frames=10) as capture:
        frames = iter(capture)
        next(frames)
        wait_for(lambda: capture.waiting == 10)
        capture.stop(discard=True)
        assert list(frames) == []
    assert capture.dropped["stopped"] >= 10


@pytest.mark.parametrize("after", [0.005, 0.02, 0.05])
@pytest.mark.parametrize("pause", [0.0, 0.0005, 10.0])
def test_a_signal_handler_may_stop_it_at_any_moment(after, pause):
    """Also while the reader waits, and while the thread itself hangs in its source (it ends by itself)."""
    source = Ticking(pause=min(pause, 0.3), live=True)
    capture = Capture(source)
    before = signal.signal(signal.SIGALRM, lambda *_: capture.stop())
    try:
        with capture:
            signal.setitimer(signal.ITIMER_REAL, after)
            began = time.monotonic()
            for _ in capture:
                pass
            assert time.monotonic() - began < after + 0.5
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_closing_twice_or_without_start_is_harmless():
    source = Ticking(3)
    capture = Capture(source)
    capture.close()
    assert source.closed
    with Capture(Ticking(3)) as other:
        list(other)
    other.close()


def test_a_file_through_the_thread_is_the_file(tmp_path):
    path = write_video(tmp_path / "clip.mp4", 150, rate=200)
    with open_source(path) as source:
        alone = [(frame.index, frame.time, number_of(frame.picture.luma)) for frame in source]
    with Capture(open_source(path), max_frames=4) as capture:
        threaded = [(frame.index, frame.time, number_of(frame.picture.luma)) for frame in capture]
    assert threaded == alone
    assert alone == [(n, n / 200, n) for n in range(150)]
