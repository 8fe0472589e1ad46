"""Streams over loopback: real senders, every frame in place, breaks bridged, credentials never shown."""

import contextlib
import http.server
import itertools
import socket
import subprocess
import sys
import threading
import time
from fractions import Fraction

import pytest
from clips import number_of, write_video
from hypothesis import given
from hypothesis import strategies as st
from rtsp_camera import RtspCamera

from microau import MicroauError
from microau.stream import urls
from microau.stream.capture import Capture
from microau.stream.inputs import open_source
from microau.stream.sources import network

SEND = """
import sys, time, av
source, url = sys.argv[1:3]
with av.open(source) as recorded, av.open(url, "w", format="mpegts") as out:
    stream = recorded.streams.video[0]
    copy = out.add_stream_from_template(stream)
    began = None
    for packet in recorded.demux(stream):
        if packet.dts is not None:
            at = float(packet.dts * packet.time_base)
            began = time.monotonic() - at if began is None else began
            time.sleep(max(0.0, began + at - time.monotonic()))
            packet.stream = copy
            out.mux(packet)
"""


@contextlib.contextmanager
def sender(path, url):
    """Another process that sends the file at its own pace, as MPEG-TS."""
    process = subprocess.Popen([sys.executable, "-c", SEND, str(path), url], stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(network, "STALL_S", 0.8)
    monkeypatch.setattr(network, "OPEN_S", 5.0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Two seconds at 200 frames a second with B-frames, a key frame every quarter second."""
    path = tmp_path_factory.mktemp("network") / "clip.mp4"
    return write_video(path, 400, rate=200, options={"preset": "veryfast", "g": "50"})


def open_when_there(url, **options):
    """A listening sender needs a moment: refused connections are tried again."""
    end = time.monotonic() + 10
    while True:
        try:
            return open_source(url, **options)
        except MicroauError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


# --- every frame arrives ---


def test_udp_at_200_fps_loses_nothing_and_keeps_time(clip, impatient):
    url = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    with sender(clip, f"{url}?pkt_size=1316"), Capture(open_source(url, reconnect=0)) as capture:
        frames = list(capture)
    drawn = [number_of(frame.picture.luma) for frame in frames]
    assert drawn == list(range(drawn[0], drawn[-1] + 1))  # from the first key frame that we heard
    assert drawn[-1] >= 398  # the end of a UDP stream is silence: its last packet may stay unfinished
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert all(
        frame.time == pytest.approx((n - drawn[0]) / 200, abs=1e-4)
        for n, frame in zip(drawn, frames, strict=True)
    )
    assert not capture.dropped
    assert capture.source.counts.missing == 0
    assert capture.source.probe.live
    assert capture.source.ending.startswith("no data for")


def test_tcp_gives_the_same_frames_as_the_file(clip):
    port = free_port()
    with (
        sender(clip, f"tcp://127.0.0.1:{port}?listen=1"),
        Capture(open_when_there(f"tcp://127.0.0.1:{port}", reconnect=0)) as capture,
    ):
        live = [(f.index, round(f.time, 4), number_of(f.picture.luma)) for f in capture]
    assert live == [(n, n / 200, n) for n in range(400)]
    assert capture.source.ending == "the sender ended the stream"


def rtsp_capture(camera, **options):
    return Capture(open_source(f"rtsp://127.0.0.1:{camera.port}/live", **options))


def test_rtsp_loses_nothing():
    with RtspCamera(120, 100) as camera, rtsp_capture(camera, reconnect=0) as capture:
        frames = list(capture)
    assert [number_of(frame.picture.luma) for frame in frames] == list(range(120))
    assert [round(frame.time, 4) for frame in frames] == [n / 100 for n in range(120)]
    assert capture.source.counts.missing == 0


@pytest.fixture
def web(clip, tmp_path):
    """A web server that knows one recording, with and without saying how long it is."""
    data = write_video(tmp_path / "clip.ts", 60, rate=100).read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.startswith("/elsewhere"):
                self.send_response(302)
                self.send_header("Location", f"file://{clip}")
                self.end_headers()
            elif "clip" in self.path:
                self.send_response(200)
                if "long" not in self.path:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            else:
                self.send_error(403 if "secret" in self.path else 404)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_http_recording_waits_and_endless_stream_does_not(web):
    with Capture(open_source(f"{web}/clip.ts"), max_frames=3) as capture:
        time.sleep(0.3)
        assert [number_of(frame.picture.luma) for frame in capture] == list(range(60))
    said = capture.source.probe
    assert not said.live
    # PyAV 19's own rational would go into no JSON.
    assert {type(value) for value in (said.fps, said.time_base, said.sample_aspect)} == {Fraction}
    assert not capture.dropped
    with open_source(f"{web}/long_clip.ts", reconnect=0) as source:
        assert source.probe.live
        assert len(list(source)) == 60


def test_http_refusals_are_one_line(web):
    with pytest.raises(MicroauError, match="404"):
        open_source(f"{web}/absent.ts")
    with pytest.raises(MicroauError, match="403"):
        open_source(f"{web}/secret.ts")
    with pytest.raises(MicroauError):  # a redirection to a file of this machine is not followed
        open_source(f"{web}/elsewhere.ts")


# --- breaks ---


def test_a_broken_stream_is_opened_again_and_the_hole_is_marked():
    """The camera restarts by itself: it serves 60 pictures, closes, and takes the next client."""
    with RtspCamera(60, 100) as camera, rtsp_capture(camera) as capture:
        frames = list(itertools.islice(capture, 90))
    assert [number_of(frame.picture.luma) for frame in frames] == [*range(60), *range(30)]
    assert [frame.index for frame in frames] == list(range(90))
    hole = frames[60].time - frames[59].time
    assert 0.3 < hole < 3  # half a second of pause, and the time to connect
    assert frames[60].missing == pytest.approx(hole * 100 - 1, abs=1)
    assert [frame.missing for frame in frames if frame is not frames[60]] == [0] * 89
    assert frames[89].time - frames[60].time == pytest.approx(0.29, abs=1e-3)
    assert capture.source.counts.reconnects == capture.source.counts.discontinuities == 1


def test_patience_ends(impatient):
    with RtspCamera(10, 100) as camera:
        source = open_source(f"rtsp://127.0.0.1:{camera.port}/live", reconnect=1.0)
    with source:  # the camera is gone for good
        began = time.monotonic()
        assert len(list(source)) == 10
    assert 0.3 < time.monotonic() - began < 3
    assert source.ending in {"the sender ended the stream", "the connection broke"}
    assert source.counts.reconnects == 0


def test_leaving_while_waiting_to_reconnect_is_quick():
    with RtspCamera(10, 100) as camera:
        source = open_source(f"rtsp://127.0.0.1:{camera.port}/live", reconnect=60)
    with Capture(source) as capture:
        assert len(list(itertools.islice(capture, 10))) == 10
        time.sleep(0.2)
        began = time.monotonic()
    assert time.monotonic() - began < 0.5


def test_a_silent_server_is_given_up(impatient, monkeypatch):
    monkeypatch.setattr(network, "OPEN_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts and never says a word
        began = time.monotonic()
        with pytest.raises(MicroauError, match="no answer in time"):
            open_source(f"rtsp://admin:secret@127.0.0.1:{server.getsockname()[1]}/live")
    assert time.monotonic() - began < 3


# --- what is shown ---


def test_unreachable_is_one_line_without_credentials():
    port = free_port()
    for scheme in ("rtsp", "tcp", "http"):
        with pytest.raises(MicroauError) as caught:
            open_source(f"{scheme}://admin:s3cret@127.0.0.1:{port}/live?token=t0ken&channel=1")
        line = str(caught.value)
        assert "connection refused" in line
        assert "\n" not in line
        assert not any(word in line for word in ("admin", "s3cret", "t0ken"))
        assert "channel=1" in line


def test_a_password_is_used_but_not_shown():
    with RtspCamera(10, 100, login="admin:p@ss/w#rd") as camera:
        place = f"127.0.0.1:{camera.port}/live"
        with open_source(f"rtsp://admin:p%40ss%2Fw%23rd@{place}", reconnect=0) as source:
            assert len(list(source)) == 10
        assert source.probe.name == f"rtsp://***@{place}"
        with pytest.raises(MicroauError, match="user and password"):
            open_source(f"rtsp://{place}")
        with pytest.raises(MicroauError, match="%2F") as caught:
            open_source(f"rtsp://admin:p@ss/w#rd@{place}")
        assert "w#rd" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://10.0.0.9:554/live", "rtsp://10.0.0.9:554/live"),
        ("rtsp://admin:pw@10.0.0.9/live", "rtsp://***@10.0.0.9/live"),
        ("RTSP://admin@10.0.0.9/live", "RTSP://***@10.0.0.9/live"),
        ("rtsp://a:p@ss@host/x", "rtsp://***@host/x"),
        ("rtsp://a:p/w?x#y@host/x", "rtsp://***@host/x"),
        ("rtsp://a:@host/x", "rtsp://***@host/x"),
        ("udp://@239.0.0.1:1234", "udp://@239.0.0.1:1234"),
        ("http://host/cam@2/x", "http://host/cam@2/x"),
        ("http://host/x?user=a&password=b&fps=30", "http://host/x?user=***&password=***&fps=30"),
        (
            "http://host/x?api_key=b;AuthToken=c#access_token=d",
            "http://host/x?api_key=***;AuthToken=***#access_token=***",
        ),
        ("admin:pw@10.0.0.9/live", "***@10.0.0.9/live"),
        ("C:\\clips\\me@home.mp4", "C:\\clips\\me@home.mp4"),
        ("clips/me@home.mp4", "clips/me@home.mp4"),
    ],
)
def test_masking(text, shown):
    assert urls.mask(text) == shown
    assert urls.mask(shown) == shown


@given(
    st.sampled_from(urls.SCHEMES),
    st.text("abzAZ09._~!$&'()*+,;=:@/?#[]% é", min_size=1).map(lambda s: f"Zx{s}xZ"),
    st.sampled_from(["10.0.0.9", "host:554", "[::1]:554"]),
)
def test_no_password_is_ever_shown(scheme, password, host):
    shown = urls.mask(f"{scheme}://admin:{password}@{host}/live")
    assert "Zx" not in shown
    assert "admin" not in shown
    assert shown.endswith(f"@{host}/live")
