"""The whole way on the sample clip, whose truth is known: what is found, however it comes in."""

import json
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import av
import pytest

import microau

SAMPLES = Path(__file__).parents[1] / "samples"
CLIP = SAMPLES / "astronaut.mp4"
TRUTH = json.loads((SAMPLES / "astronaut.truth.json").read_text())["events"]
FRAME_S = 0.005


def events(source, **settings):
    with microau.Stream(source, **settings) as stream:
        return sorted(stream, key=lambda event: event.onset_s)


@pytest.fixture(scope="module")
def found():
    return events(CLIP)


def overlap(event, truth):
    """Intersection over union of the frames, both ends included."""
    both = min(event.offset_frame, truth["offset_frame"]) - max(event.onset_frame, truth["onset_frame"]) + 1
    all_ = max(event.offset_frame, truth["offset_frame"]) - min(event.onset_frame, truth["onset_frame"]) + 1
    return both / all_


def test_every_movement_is_found_and_nothing_else(found):
    """One blink and a swaying head besides."""
    assert len(found) == len(TRUTH)
    assert all(overlap(event, truth) > 0.7 for event, truth in zip(found, TRUTH, strict=True))


def test_the_apex_is_right_to_a_few_frames(found):
    assert all(abs(e.apex_frame - t["apex_frame"]) <= 4 for e, t in zip(found, TRUTH, strict=True))


def test_units_and_sides_are_right(found):
    assert [event.aus for event in found] == ["+".join(truth["aus"]) for truth in TRUTH]


def test_emotions_follow(found):
    assert [event.emotion for event in found] == [truth["emotion"] for truth in TRUTH]


def test_the_explanation_names_what_moved(found):
    smile = found[0].explanation[0]
    assert "mouth corner" in smile.place
    assert smile.predicted_by == "AU12"
    assert smile.agreement > 0.9
    assert smile.shift[1] < 0  # up


def test_the_future_does_not_change_the_past(found):
    """A clip that ends earlier gives the same events as far as they were decided by then."""
    until = 3.0
    cut = events(CLIP, end=until)
    told = [event for event in found if event.apex_s + 1.0 < until]
    assert len(told) >= 1
    assert [key(event) for event in cut[: len(told)]] == [key(event) for event in told]


def test_the_same_file_as_a_live_stream_gives_the_same_events(found):
    """MPEG-TS over loopback, packets untouched, at the pace of a camera."""
    sender = subprocess.Popen([sys.executable, "-c", SENDER, str(CLIP)], stdout=subprocess.PIPE, text=True)
    try:
        live = events(sender.stdout.readline().strip())
    finally:
        sender.kill()
        sender.wait()
        sender.stdout.close()
    assert [key(event) for event in live] == [key(event) for event in found]


SENDER = textwrap.dedent("""
    import socket, sys, time
    import av
    clip, server = av.open(sys.argv[1]), socket.create_server(("127.0.0.1", 0))
    print(f"tcp://127.0.0.1:{server.getsockname()[1]}", flush=True)
    peer, _ = server.accept()
    out = av.open(peer.makefile("wb", buffering=0), "w", format="mpegts")
    stream = out.add_stream_from_template(clip.streams.video[0])
    start = time.monotonic()
    for packet in clip.demux(video=0):
        if packet.dts is None:
            continue
        time.sleep(max(0.0, float(packet.dts * packet.time_base) - time.monotonic() + start))
        packet.stream = stream
        out.mux(packet)
    out.close()
    peer.shutdown(socket.SHUT_WR)
""")


def key(event):
    return (event.onset_frame, event.apex_frame, event.offset_frame, round(event.onset_s, 6), event.aus)


def test_a_variable_rate_copy_gives_the_same_times(found, tmp_path):
    """Every fifth frame is gone and the rest keep their own times."""
    copy = events(thinned(CLIP, tmp_path / "vfr.mp4"))
    assert [event.aus for event in copy] == [event.aus for event in found]
    for ours, theirs in zip(copy, found, strict=True):
        assert ours.onset_s == pytest.approx(theirs.onset_s, abs=2.01 * FRAME_S)
        assert ours.apex_s == pytest.approx(theirs.apex_s, abs=2.01 * FRAME_S)
        assert ours.offset_s == pytest.approx(theirs.offset_s, abs=2.01 * FRAME_S)


def thinned(source, target):
    """A copy without every fifth frame; intervals are 5 and 10 ms."""
    with av.open(str(source)) as clip, av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=200, options={"qp": "0", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 90_000)
        for number, frame in enumerate(clip.decode(video=0)):
            if number % 5 != 3:
                frame.pict_type = 0
                out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return target
