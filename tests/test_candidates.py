"""The candidates' command: what a scorer learns from is what the running spotter has."""

import json

import numpy as np
import pytest
from motions import BROWS, SMILE, motions, pulse

from microau.engine.motion_file import save_motions
from microau.stream.candidates import main
from microau.stream.features import FEATURES
from microau.stream.spotting import SpotConfig, Spotter
from microau.training.spot_clips import read_clips, reported

TIME = np.arange(0, 6, 0.005)
ACTS = [(SMILE, 2.0 * pulse(TIME, 2.0, 2.14, 2.4)), (BROWS, 1.5 * pulse(TIME, 4.0, 4.12, 4.3))]
TRUTH = {
    "person": "p",
    "fps": 200.0,
    "events": [
        {"kind": "micro", "onset_s": 2.0, "offset_s": 2.4, "amplitude": 2.0},
        {"kind": "micro", "onset_s": 4.0, "offset_s": 4.3, "amplitude": 1.5},
    ],
}


@pytest.fixture
def line(tmp_path, capsys):
    save_motions(tmp_path / "clips" / "one.npz", motions(TIME, ACTS), TRUTH)
    assert main([str(tmp_path / "clips")]) == 0
    return capsys.readouterr().out.strip()


def test_a_line_is_a_clip_with_its_truth_and_all_that_is_measured(line):
    record = json.loads(line)
    assert record["clip"] == "clips/one"
    assert record["truth"] == TRUTH
    assert record["seconds"] == pytest.approx(TIME[-1])
    assert all(set(c["features"]) == set(FEATURES) for c in record["candidates"])


def test_what_would_be_reported_is_what_the_spotter_reports(line):
    """To a frame: by its regions and by its unit a movement may score alike, and the last samples decide
    which one is told.
    """
    _, (clip,) = read_clips([line])
    spotter = Spotter()
    told = [w for m in motions(TIME, ACTS) for w in spotter.push(m)] + spotter.flush()
    spans = [(w.span.onset, w.span.offset) for w in told]
    assert len(spans) == 2
    np.testing.assert_allclose(
        clip.spans[reported(clip, clip.score, SpotConfig().min_score)], spans, atol=0.005
    )
    assert (clip.overlap[reported(clip, clip.score, 0.5)] >= 0.5).sum() == 2


def test_what_cannot_be_read_is_one_line(tmp_path, capsys):
    (tmp_path / "odd.npz").write_bytes(b"PK\x03\x04 cut off")
    assert main([str(tmp_path / "odd.npz")]) == 2
    assert "odd.npz: holds no motion records" in capsys.readouterr().err
