"""What the spotter must see, what it must pass over, and that it does not look ahead."""

from dataclasses import replace

import numpy as np
import pytest
from motions import BROWS, SMILE, motions, pulse

from microau.engine.au_motion import UNIT_MOTIONS, UNIT_NAMES
from microau.engine.errors import MicroauError
from microau.engine.regions import NAMES
from microau.engine.scorer import Scorer, load_scorer
from microau.stream.candidates import find_candidates
from microau.stream.features import BONE, FEATURES
from microau.stream.macro import MacroSpotter
from microau.stream.noise_floor import seconds_to_know
from microau.stream.spotting import REACHES, WIDTH, SpotConfig, Spotter


def windows(records, spotter=None):
    spotter = spotter or Spotter()
    found = [window for record in records for window in spotter.push(record)]
    return found + spotter.flush()


def clock(seconds=5.0, fps=200):
    return np.arange(0, seconds, 1 / fps)


@pytest.mark.parametrize("fps", [25, 30, 60, 120, 200, 500, 1000])
@pytest.mark.parametrize("directions", [SMILE, BROWS])
def test_a_movement_that_comes_and_goes_is_one_window(fps, directions):
    time = clock(fps=fps)
    (found,) = windows(motions(time, [(directions, 2.0 * pulse(time, 2.5, 2.64, 2.9))]))
    frame = 1 / fps
    assert found.apex.time == pytest.approx(2.64, abs=0.02 + frame)
    assert found.onset.time == pytest.approx(2.5, abs=0.04 + frame)
    assert found.offset.time == pytest.approx(2.9, abs=0.06 + frame)
    assert found.amplitude == pytest.approx(2.0, rel=0.25)


@pytest.mark.parametrize("amplitude", [0.8, 1.5, 4.0])
def test_amplitudes_of_micro_expressions(amplitude):
    time = clock()
    assert len(windows(motions(time, [(BROWS, amplitude * pulse(time, 2.5, 2.65, 2.95))]))) == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_still_face_gives_nothing(seed):
    assert windows(motions(clock(20), [], seed=seed)) == []


def test_the_noise_of_this_camera_is_learned():
    time = clock(20)
    assert windows(motions(time, [], noise=0.4)) == []


@pytest.mark.parametrize("noise", [0.2, 0.4])
def test_the_noise_floor_is_told(noise):
    """Oracle: a mean of n samples less half of two such means has a variance of 1.5 / n of one sample's."""
    spotter = Spotter()
    windows(motions(clock(1), [], noise=noise), spotter)
    assert spotter.noise == 0  # not known yet
    windows(motions(clock(9), [], noise=noise), spotter)
    samples = [2 * int(WIDTH * reach * 200 + 1e-6) + 1 for reach in REACHES]
    expected = np.median([noise * np.sqrt(1.5 / n) for n in samples])
    assert spotter.noise == pytest.approx(expected, rel=0.12)


def test_a_lasting_smile_is_one_macro_movement_and_no_event():
    time = clock(6)
    course = 4.0 * np.clip((time - 2.0) / 0.2, 0, 1) * np.clip((5.0 - time) / 0.5, 0, 1)
    records = motions(time, [(SMILE, course)])
    assert windows(records) == []
    (smile,) = windows(records, MacroSpotter(SpotConfig()))
    assert smile.macro
    assert smile.onset.time == pytest.approx(2.0, abs=0.06)
    assert smile.offset.time == pytest.approx(4.75, abs=0.1)  # half way down


def test_a_short_movement_is_not_macro():
    time = clock()
    records = motions(time, [(SMILE, 4.0 * pulse(time, 2.5, 2.64, 2.9))])
    assert windows(records, MacroSpotter(SpotConfig())) == []


def test_slow_drift_gives_nothing():
    time = clock(10)
    assert windows(motions(time, [(BROWS, 3 * np.sin(2 * np.pi * 0.3 * time))])) == []


def test_speech_gives_nothing():
    time = clock(8)
    talk = (
        np.abs(np.sin(2 * np.pi * 1.9 * time)) * ((time > 2) & (time < 6)) * (1 + 0.4 * np.sin(5.1 * time))
    )
    jaw = {
        "middle of the lower lip": (0.0, 3.0),
        "chin": (0.0, 2.5),
        "left lower lip": (0, 2.5),
        "right lower lip": (0, 2.5),
    }
    assert windows(motions(time, [(jaw, talk)])) == []


SWALLOW = {
    "chin": (0.0, -1.0),
    "middle of the lower lip": (0.0, -1.0),
    "middle of the upper lip": (0.0, 0.1),
} | {
    f"{side} {part}": move
    for side in ("right", "left")
    for part, move in {"lower lip": (0.0, -0.9), "side of the chin": (0.0, -0.65)}.items()
}
"""The chin is raised, the lips are pressed: the same pattern as of AU17 with AU24."""


@pytest.mark.parametrize(("length", "count"), [(0.24, 1), (0.48, 0), (0.7, 0)])
def test_chin_and_lips_for_half_a_second_are_a_swallow(length, count):
    time = clock(6)
    course = 2.5 * pulse(time, 2.5, 2.5 + 0.5 * length, 2.5 + length)
    records = motions(time, [(SWALLOW, course)])
    assert len(windows(records)) == count
    flags = [w.confounds.flags() for w in windows(records, Spotter(SpotConfig(min_score=0.05)))]
    assert all(("swallow" in named) == (length > 0.4) for named in flags)


def test_a_movement_that_may_have_begun_before_the_face_counts_less():
    time, score = clock(5), {}
    for onset in (0.25, 1.5):
        course = 2.0 * pulse(time, onset, onset + 0.13, onset + 0.3)
        spotter = Spotter(SpotConfig(min_score=0.0))
        score[onset] = max(
            (w.score for w in windows(motions(time, [(BROWS, course)]), spotter)), default=0.0
        )
    assert score[0.25] < 0.6 * score[1.5]


@pytest.mark.parametrize("onset", [0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.1, 1.2])
def test_while_the_noise_becomes_known_a_movement_is_found_as_ever(onset):
    """The floor falls from what is assumed to what it is; the way back must not outshine the apex."""
    time = clock(4)
    course = 3.0 * pulse(time, onset, onset + 0.1, onset + 0.26)
    (found,) = windows(motions(time, [(SMILE, course)], noise=0.03))
    assert abs(found.onset.time - onset) < 0.04
    assert abs(found.offset.time - onset - 0.26) < 0.06


def test_what_ends_far_below_its_begin_is_the_end_of_something_longer():
    time = clock(6)
    held = (
        2.0
        * pulse(np.minimum(time, 1.5), 1.2, 1.5, 9.0)
        * (1 - pulse(np.minimum(time, 3.35), 3.12, 3.35, 9))
    )
    falls = held + 1.0 * pulse(time, 3.0, 3.1, 3.25)
    candidates = find_candidates(motions(time, [(SMILE, falls)]), SpotConfig())
    assert not [c for c in candidates if 2.9 < c.span.apex < 3.3]


def test_a_blink_alone_gives_nothing():
    time = clock()
    course = pulse(time, 2.5, 2.6, 2.8)
    lids = {
        f"{side} {lid} lid": (0.0, 6.0 if lid == "upper" else -1.5)
        for side in ("right", "left")
        for lid in ("upper", "lower")
    }
    lids |= {f"{side} cheek below the eye": (0.0, -0.6) for side in ("right", "left")}
    eyes = np.stack([0.3 - 0.25 * course] * 2, axis=1)
    assert windows(motions(time, [(lids, course)], eyes=eyes)) == []


@pytest.mark.parametrize(("amplitude", "count"), [(0.45, 0), (2.0, 1)])
def test_what_a_blink_leaves_in_the_brows_is_nothing(amplitude, count):
    """Small and in step with the blink it is the blink's; a real movement may well fall on a blink."""
    time = clock()
    course = pulse(time, 2.5, 2.58, 2.74)
    eyes = np.stack([0.3 - 0.25 * course] * 2, axis=1)
    assert len(windows(motions(time, [(BROWS, amplitude * course)], eyes=eyes, noise=0.02))) == count


def test_the_future_does_not_change_the_past():
    time = clock(6)
    first = 2.0 * pulse(time, 1.5, 1.62, 1.9)
    spotter, other = Spotter(), Spotter()
    quiet = motions(time, [(SMILE, first)])
    later = motions(time, [(SMILE, first), (BROWS, 5.0 * pulse(time, 3.2, 3.3, 3.5))])
    end = 1.9 + spotter.lookahead + 0.05
    told = [[(w.onset.index, w.apex.index, w.offset.index, w.score) for r in records if r.time < 3.2
             for w in s.push(r)] for s, records in ((spotter, quiet), (other, later))]  # fmt: skip
    assert end < 3.2
    assert told[0] == told[1]
    assert len(told[0]) == 1


def test_nothing_is_told_later_than_declared():
    time = clock(6)
    spotter = Spotter()
    for record in motions(time, [(SMILE, 2.0 * pulse(time, 2.5, 2.64, 2.9))]):
        for window in spotter.push(record):
            assert record.time - window.apex.time <= spotter.lookahead + 0.005


HALF_A_SMILE = {name: move for name, move in SMILE.items() if name.startswith("right")}


@pytest.mark.parametrize("fps", [15, 25, 30, 60, 200])
def test_a_face_s_first_movements_are_told_when_its_noise_is_known(fps):
    """0.4 s: half of the longest time between two moments that are compared, and the mean around each."""
    startup, found = seconds_to_know(fps) + 0.4 + 3 / fps, 0
    for onset in np.arange(0.4, 0.95, 0.1):
        time, spotter = clock(5, fps), Spotter()
        course = pulse(time, onset, onset + 0.15, onset + 0.4)
        for record in motions(time, [(HALF_A_SMILE, course)]):
            for window in spotter.push(record):
                found += 1
                late = record.time - window.apex.time
                assert late <= max(spotter.lookahead + 1 / fps, startup - window.apex.time)
    assert found >= 3


def test_a_lid_movement_before_a_smile_is_told_where_the_recording_ends():
    whole = sum(m for name, m in zip(UNIT_NAMES, UNIT_MOTIONS, strict=True) if name.rstrip("LR") == "5")
    lids = {name: tuple(v / np.abs(whole).max()) for name, v in zip(NAMES, whole, strict=True)}
    time = clock(3.08)
    raised, smiled = 2.0 * pulse(time, 2.2, 2.32, 2.5), 2.0 * pulse(time, 2.75, 2.87, 3.05)
    first, second = windows(motions(time, [(lids, raised), (SMILE, smiled)]))
    assert first.apex.time == pytest.approx(2.32, abs=0.03)
    assert second.apex.time == pytest.approx(2.87, abs=0.03)


def test_a_hole_inside_the_window_is_named():
    time = clock()
    keep = (time < 2.55) | (time > 2.57)
    missing = np.where(np.diff(time[keep], prepend=0) > 0.006, 4, 0)
    (found,) = windows(
        motions(time[keep], [(SMILE, 2.0 * pulse(time[keep], 2.5, 2.64, 2.9))], missing=missing)
    )
    assert "gap" in found.confounds.flags()


def joined(first, second, at):
    """Two takes, the second a cut later."""
    return first + [replace(m, time=m.time + at, index=m.index + len(first)) for m in second]


def test_a_scene_cut_is_no_movement_and_loses_none():
    """A movement shortly before the cut is told; the leap itself, and what comes after it, is nothing."""
    time = clock(3)
    first = motions(time, [(SMILE, 2.0 * pulse(time, 2.2, 2.34, 2.6))])
    away = {name: (5.0, 4.0) for name in BROWS}
    second = motions(time, [(away, np.ones(len(time)))], seed=1)
    (found,) = windows(joined(first, second, 3.0))
    assert found.apex.time == pytest.approx(2.34, abs=0.03)


def test_another_scene_has_another_noise():
    """From a still camera to a noisy one: the old floor would call everything a movement."""
    time = clock(8)
    records = joined(motions(time, []), motions(time, [], noise=0.35, seed=1), 8.0)
    assert windows(records) == []


def test_a_weak_movement_of_many_regions_is_found():
    """No region by itself stands out by four times its noise: nine brow regions in step do."""
    time = clock(6)
    brows = {name: (0.0, -1.0) for name in NAMES if "brow" in name or "forehead" in name}
    found = 0
    for seed in range(4):
        records = motions(time, [(brows, 0.55 * pulse(time, 3.5, 3.65, 3.95))], noise=0.3, seed=seed)
        candidates = find_candidates(records, SpotConfig(min_amplitude=0.2))
        found += any(abs(c.span.apex - 3.65) < 0.05 for c in candidates)
    assert found >= 3


def constant(path, logit, names=("curve", "rivals")):
    """A scorer's file that gives every candidate the same score."""
    nothing = np.zeros((1, 1), np.intp), np.full((1, 1), np.inf), np.zeros((1, 2))
    path.write_text(Scorer(tuple(names), *nothing, float(logit), {}).to_json())
    return str(path)


def test_a_scorer_s_file_takes_the_place_of_the_rules(tmp_path):
    time = clock(4)
    records = motions(time, [(SMILE, 2.0 * pulse(time, 2.5, 2.64, 2.9))])
    (found,) = windows(records, Spotter(SpotConfig(scorer=constant(tmp_path / "yes.json", 2.0))))
    assert found.score == pytest.approx(1 / (1 + np.exp(-2.0)), abs=1e-3)
    assert windows(records, Spotter(SpotConfig(scorer=constant(tmp_path / "no.json", -2.0)))) == []


def test_the_bundle_s_scorer_takes_the_place_of_the_shipped_one(tmp_path):
    time = clock(4)
    records = motions(time, [(SMILE, 2.0 * pulse(time, 2.5, 2.64, 2.9))])
    bundled = load_scorer(tmp_path / constant(tmp_path / "s.json", 1.0))
    (found,) = windows(records, Spotter(SpotConfig(), bundled))
    assert found.score == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-3)
    (chosen,) = windows(records, Spotter(SpotConfig(scorer=constant(tmp_path / "yes.json", 2.0)), bundled))
    assert chosen.score == pytest.approx(1 / (1 + np.exp(-2.0)), abs=1e-3)  # what the user names counts
    (judged,) = windows(records, Spotter(SpotConfig(scorer="judged"), bundled))
    assert judged.score not in (found.score, chosen.score)


def test_a_scorer_of_other_features_is_refused(tmp_path):
    with pytest.raises(MicroauError, match="wisdom"):
        Spotter(SpotConfig(scorer=constant(tmp_path / "s.json", 0.0, ("curve", "wisdom"))))


def features_of(courses, **options):
    """Of the strongest candidate: two regions that stand out, and the whole unit, are one each."""
    found = [
        c
        for c in find_candidates(motions(clock(4), courses, **options), SpotConfig())
        if c.peak.channel == "face" and abs(c.span.apex - 2.64) < 0.06
    ]
    return max(found, key=lambda c: c.peak.strength).features


def test_a_movement_is_likened_to_what_moves_so():
    """Against the units' own patterns, by hand: 1 for itself, less for all others."""
    course = 2.0 * pulse(clock(4), 2.5, 2.64, 2.9)
    for number in ("12", "4", "17"):
        whole = sum(m for n, m in zip(UNIT_NAMES, UNIT_MOTIONS, strict=True) if n.rstrip("LR") == number)
        pattern = {
            name: tuple(np.array(move) / np.abs(whole).max())
            for name, move in zip(NAMES, whole, strict=True)
            if "lid" not in name
        }
        likeness = {k: v for k, v in features_of([(pattern, course)]).items() if k.startswith("like_")}
        assert max(likeness, key=likeness.get) == f"like_{number}"
        assert likeness[f"like_{number}"] > 0.9


def test_what_moves_along_is_measured():
    """Bone that no muscle moves, and regions that had no part in it, each as large as it was drawn."""
    course = 2.0 * pulse(clock(4), 2.5, 2.64, 2.9)
    bone = {name: (0.0, 0.1) for name in np.array(NAMES)[BONE]}
    alone, shaken = features_of([(BROWS, course)]), features_of([(BROWS, course), (bone, course)])
    assert np.exp(shaken["bone"]) == pytest.approx(0.1, rel=0.3)
    assert alone["bone"] < shaken["bone"] - 0.7
    idle = {name: (0.0, 0.06) for name in NAMES if "lip" in name or "chin" in name or "cheek" in name}
    quiet, joined = (
        features_of([(BROWS, course)], noise=0.02),
        features_of([(BROWS, course), (idle, course)], noise=0.02),
    )
    assert joined["others"] > quiet["others"] + 0.7
    assert alone["parts"] == pytest.approx(6 / len(NAMES), abs=4 / len(NAMES))


def test_every_feature_is_measured():
    time = clock(4)
    found = find_candidates(motions(time, [(SMILE, 2.0 * pulse(time, 2.5, 2.64, 2.9))]), SpotConfig())
    assert found
    for one in found:
        assert tuple(one.features) == FEATURES
        assert np.isfinite(list(one.features.values())).all()


def test_impossible_settings_are_refused():
    with pytest.raises(MicroauError, match="min_ms"):
        SpotConfig(min_ms=500, max_ms=40)


def test_a_hole_of_seconds_is_no_movement_and_no_crash():
    time = np.array([0.0, 0.1, 0.2, 3.0, 5.5, 5.6])
    course = np.array([0.0, 0.0, 0.0, 3.0, 3.0, 3.0])
    assert windows(motions(time, [(SMILE, course)]), MacroSpotter(SpotConfig())) == []


def test_a_hole_after_a_movement_is_no_crash():
    """What is decided when the first picture after seconds without one comes."""
    time = np.concatenate([clock(3), [9.0, 9.005, 9.01]])
    course = 2.0 * pulse(time, 2.5, 2.64, 2.9)
    assert len(windows(motions(time, [(SMILE, course)]))) <= 1


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_low_noise_factor_is_allowed(factor):
    windows(motions(clock(3), []), Spotter(SpotConfig(noise_factor=factor)))


def test_amplitudes_that_cannot_be_are_refused():
    with pytest.raises(MicroauError, match="min_amplitude"):
        SpotConfig(min_amplitude=0)
