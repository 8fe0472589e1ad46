"""One movement, recorded in many ways: the smile of the sample is found in each, at its time.

Each variant is a real file, made here by FFmpeg's filters and encoders from the first 1.7 seconds.
"""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from commands import SAMPLE

import microau
from microau.stream import pipeline
from microau.stream.config import Config
from microau.stream.notices import closing_notices
from microau.stream.session import Session

TRUTH = json.loads((Path(SAMPLE).parent / "astronaut.truth.json").read_text())["events"][0]
UNTIL = 1.7
"""Seconds: the smile is over at 1.36."""
H264 = ("libx264", "yuv420p")

VARIANTS = {
    "10 bit": ("null", "libx265", "yuv420p10le"),
    "gray": ("null", "libx264", "gray"),
    "odd size": ("crop=627:461:4:8", "libx264", "yuv444p"),
    "dark": ("lutyuv=y=16+(val-16)*0.3", *H264),
    "bright": ("lutyuv=y=clip(val*1.5\\,16\\,250)", *H264),
    "head tilted to the right": ("rotate=40*PI/180:fillcolor=gray", *H264),
    "head tilted to the left": ("rotate=-40*PI/180:fillcolor=gray", *H264),
    "at the edge": ("crop=400:480:250:0", *H264),
    "Full HD": ("scale=1920:1440:flags=fast_bilinear,crop=1920:1080:0:150", *H264),
    "25 a second": ("fps=25", *H264),
    "60 a second": ("fps=60", *H264),
    "500 a second": ("fps=500", *H264),
    "1000 a second, blended between": ("minterpolate=fps=1000:mi_mode=blend", *H264),
    "frames doubled": ("fps=300", *H264),
    "frames missing": ("select=not(between(n\\,236\\,243))", *H264),
    "uneven": ("select=lt(mod(n\\,10)\\,3)+not(mod(n\\,2))", *H264),
}


def write(path, filters, codec, pix_fmt, late=0):
    """The start of the sample through a chain of filters, each picture at its own time."""
    x26 = (
        {"preset": "ultrafast", "crf": "0" if codec == "libx264" else "14", "x265-params": "log-level=none"}
        if "26" in codec
        else {}
    )
    with av.open(str(SAMPLE)) as clip, av.open(str(path), "w") as out:
        video = clip.streams.video[0]
        graph = chain(video, filters)
        stream, tick = None, Fraction(1, 90_000)
        for frame in filtered(graph, clip.decode(video)):
            if stream is None:
                stream = out.add_stream(codec, rate=200, options=x26)
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, pix_fmt
                stream.codec_context.time_base = tick
            picture = frame.reformat(format=pix_fmt)
            picture.pts, picture.time_base = round((frame.time + late) / tick), tick
            picture.pict_type = 0
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


def chain(video, filters):
    graph = av.filter.Graph()
    nodes = [graph.add_buffer(template=video)]
    for text in filters.split(",") if "\\," not in filters else [filters]:
        name, _, arguments = text.partition("=")
        nodes.append(graph.add(name, arguments or None))
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    return graph


def filtered(graph, frames):
    """Pictures as they come out of the chain."""
    for frame in frames:
        if frame.time >= UNTIL:
            break
        graph.push(frame)
        yield from pulled(graph)
    graph.push(None)
    yield from pulled(graph)


def pulled(graph):
    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def smile_of(path):
    """The events, with nothing but the smile among them, and the run."""
    with microau.Stream(path) as stream:
        events = [event for event in stream if "blink" not in event.flags]
        return events, stream.run, stream.notices


def check(event, interval=0.005):
    """Unit and times are those of the truth, as well as 200 frames a second or this interval can tell."""
    assert event.aus == "12"
    for name in ("onset", "apex", "offset"):
        assert abs(getattr(event, f"{name}_s") - TRUTH[f"{name}_frame"] / 200) < 0.06 + interval, name


@pytest.mark.parametrize("name", VARIANTS)
def test_the_smile_is_found_however_it_was_recorded(name, tmp_path):
    path = write(tmp_path / "clip.mkv", *VARIANTS[name])
    (event, *_), run, notices = smile_of(path)
    low = "25" in name
    check(event, 0.04 if low else 0.005)
    assert any("cannot be told from noise" in notice for notice in notices) == low
    assert (run["counts"]["missing"] > 0) == (name == "frames missing")
    assert (run["counts"]["duplicates"] > 150) == (name in ("500 a second", "frames doubled"))


def test_what_noise_hides_is_said(tmp_path):
    said = []
    for strength in (20, 60):
        path = write(tmp_path / f"noise{strength}.mkv", f"noise=alls={strength}:allf=t", *H264)
        events, run, notices = smile_of(path)
        hidden = sum("hide small" in text for text in notices)
        said.append((len(events), run["noise"]["half_found"], hidden))
    (seen, below, quiet), (_, above, loud) = said
    assert (seen, quiet, loud) == (1, 0, 1)
    assert below < 1.5 < TRUTH["amplitude"] < above


def test_what_noise_hides_is_said_while_it_can_be_mended(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "JUDGED_S", 0.1)
    path = write(tmp_path / "noise.mkv", "noise=alls=60:allf=t", *H264)
    with Session(Config(), str(path)) as session:
        told = [step.frame for step in session.steps() if any("hide" in t for t in session.new_notices())]
        assert len(told) == 1
        assert told[0].time < UNTIL - 0.1
        assert not any("hide" in text for text in closing_notices(session))


def test_a_late_first_stamp_is_zero(tmp_path):
    events, run, _ = smile_of(write(tmp_path / "late.mkv", "null", *H264, late=7.3))
    check(events[0])
    assert run["counts"]["frames"] == 340


def test_a_picture_lying_on_its_side_is_turned_up(tmp_path):
    """As phones record: the display matrix says so."""
    lying = write(tmp_path / "lying.mp4", "transpose=1", *H264)
    with av.open(str(lying)) as clip, av.open(str(tmp_path / "phone.mp4"), "w") as out:
        stream = out.add_stream_from_template(clip.streams.video[0])
        stream.set_display_rotation(90)
        for packet in clip.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    events, run, _ = smile_of(tmp_path / "phone.mp4")
    check(events[0])
    assert (run["input"]["width"], run["input"]["height"], run["input"]["rotation"]) == (640, 480, 90)


def test_two_faces_have_their_own_events_and_keep_their_numbers(tmp_path):
    """Beside the sample its mirror image, 0.3 s later."""
    path = two_faces(tmp_path / "two.mp4")
    result = microau.analyze_video(path, max_faces=2)
    rows = result.frames[["frame", "face_id"]]
    assert sorted(set(rows["face_id"])) == [0, 1]
    assert (rows.groupby("face_id").size() == rows["frame"].nunique()).all()
    left = result.frames.groupby("face_id")["box_left"].agg(["min", "max"])
    assert (left["max"] - left["min"] < 60).all()
    smiles = result.events[result.events["aus"] == "12"].set_index("face_id")["apex_s"]
    truth = TRUTH["apex_frame"] / 200
    here, there = (int(left["min"].idxmin()), int(left["min"].idxmax()))
    assert smiles[here] == pytest.approx(truth, abs=0.06)
    assert smiles[there] == pytest.approx(truth + 0.3, abs=0.06)
    alone = microau.analyze_video(path, max_faces=1, end=0.5)
    assert set(alone.frames["face_id"]) == {0}


def two_faces(path):
    with av.open(str(SAMPLE)) as clip:
        frames = [
            frame.to_ndarray(format="gray")
            for frame, _ in zip(clip.decode(video=0), range(400), strict=False)
        ]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=200, options={"preset": "ultrafast", "crf": "14"})
        stream.width, stream.height, stream.pix_fmt = 1280, 480, "yuv420p"
        for number in range(400):
            other = frames[max(0, number - 60)][:, ::-1]
            both = np.hstack([frames[number], other])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(both), "gray")))
        out.mux(stream.encode(None))
    return path
