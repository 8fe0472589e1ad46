"""The sample in the repository: small enough, as its truth says, and what its script makes."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from microau.training.generate.camera import nearest

SAMPLES = Path(__file__).parents[1] / "samples"


@pytest.fixture(scope="module")
def truth():
    return json.loads((SAMPLES / "astronaut.truth.json").read_text())


def test_it_is_small(truth):
    assert (SAMPLES / truth["video"]).stat().st_size < 1_500_000


def test_every_frame_stands_at_its_time(truth):
    with av.open(str(SAMPLES / truth["video"])) as file:
        stream = file.streams.video[0]
        assert (stream.width, stream.height) == (640, 480)
        times = sorted(float(p.pts * p.time_base) for p in file.demux(stream) if p.pts is not None)
    assert len(times) == truth["frames"]
    assert times == pytest.approx([k / 200 for k in range(len(times))], abs=1e-4)


def test_the_script_still_makes_what_the_truth_says(truth):
    pytest.importorskip("skimage")
    from faces_to_move import astronaut

    from microau.training import sample_clip

    fields = dict(astronaut().build(60.0, True).fields)
    happening = sample_clip.scenario(fields)
    assert [list(m.units) for m in happening.movements] == [e["aus"] for e in truth["events"]]
    shots = sample_clip.CAMERA.shots(sample_clip.DURATION, np.random.default_rng(0))
    apexes = [nearest(shots, m.curve.apex) for m in happening.movements]
    assert apexes == [e["apex_frame"] for e in truth["events"]]
    assert [m.amplitude for m in happening.movements] == [e["amplitude"] for e in truth["events"]]


def test_the_pictures_are_those_of_the_script(truth):
    """At every apex: the decoded frame against one drawn now, apart from noise and compression."""
    pytest.importorskip("skimage")
    from faces_to_move import astronaut

    from microau.training import sample_clip

    face = astronaut().build(sample_clip.CAMERA.oed, False)
    happening = sample_clip.scenario(dict(face.fields))
    matrix = face.frame(sample_clip.CAMERA.size)
    wanted = {event["apex_frame"] for event in truth["events"]}
    with av.open(str(SAMPLES / truth["video"])) as file:
        for number, frame in enumerate(file.decode(video=0)):
            if number in wanted:
                drawn = face.render(happening.state(number / 200), matrix, sample_clip.CAMERA.size)
                difference = np.abs(frame.to_ndarray(format="rgb24") - drawn)
                assert difference.mean() < 2.5
                assert np.percentile(difference.mean(axis=2), 99.5) < 12
