"""Motion records through a file: what the spotter gets is the same."""

import numpy as np
import pytest
from motions import SMILE, motions, pulse

from microau.engine.errors import MicroauError
from microau.engine.motion_file import FIELDS, load_motions, save_motions
from microau.stream.spotting import Spotter

TIME = np.arange(0, 4, 0.005)


def records():
    return motions(TIME, [(SMILE, 2.0 * pulse(TIME, 2.5, 2.64, 2.9))], light=120 + TIME)


def test_it_reads_back_the_same(tmp_path):
    path = tmp_path / "sub" / "one.npz"
    save_motions(path, records(), {"fps": 200.0})
    again, truth = load_motions(path)
    assert truth == {"fps": 200.0}
    for ours, theirs in zip(again, records(), strict=True):
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        assert isinstance(ours.time, float)
        assert isinstance(ours.eyes, tuple)
        assert ours.face.oed == pytest.approx(theirs.face.oed)


def test_the_same_windows_come_out(tmp_path):
    save_motions(tmp_path / "one.npz", records(), {})

    def found(items):
        spotter = Spotter()
        return [w.apex.index for m in items for w in spotter.push(m)] + [
            w.apex.index for w in spotter.flush()
        ]

    assert found(load_motions(tmp_path / "one.npz")[0]) == found(records()) != []


def test_another_file_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(MicroauError, match="no motion records"):
        load_motions(tmp_path / "other.npz")


def test_a_file_that_was_cut_off_is_refused_and_none_is_left_half_written(tmp_path):
    path = tmp_path / "one.npz"
    save_motions(path, records(), {})
    assert [p.name for p in tmp_path.iterdir()] == ["one.npz"]
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(MicroauError, match="holds no motion records"):
        load_motions(path)
