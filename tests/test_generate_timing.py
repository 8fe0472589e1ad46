"""Time curves and scenarios: what happens when, and that the truth says so."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microau.training.generate import timing
from microau.training.generate.anatomy import FULL, split
from microau.training.generate.chance import CONFOUNDS, random_scenario
from microau.training.generate.expressions import displacement, from_course, with_amplitude
from microau.training.generate.fields import Fields
from microau.training.generate.scenario import Course, Movement
from microau.training.generate.state import REST
from microau.training.generate.timing import Curve

FIELDS = Fields()
seeds = st.integers(0, 2**32 - 1)


@given(seeds)
def test_micro_expressions_last_as_long_as_they_do(seed):
    curve = timing.micro(np.random.default_rng(seed), 2.0)
    assert 0.170 - 1e-9 <= curve.offset - curve.onset <= 0.500 + 1e-9
    assert 0.065 - 1e-9 <= curve.apex - curve.onset <= 0.260 + 1e-9


@given(seeds)
def test_macros_and_blinks_have_their_own_lengths(seed):
    rng = np.random.default_rng(seed)
    macro, blink = timing.macro(rng, 0.0), timing.blink(rng, 0.0)
    assert 0.6 - 1e-9 <= macro.offset - macro.onset <= 3.0 + 1e-9
    assert 0.150 - 1e-9 <= blink.offset - blink.onset <= 0.300 + 1e-9


@given(seeds, st.sampled_from([timing.micro, timing.macro, timing.blink]))
def test_a_curve_rises_once_and_falls_once(seed, draw):
    curve = draw(np.random.default_rng(seed), 1.0)
    times = np.linspace(0.9, curve.offset + 0.1, 2000)
    values = np.array([curve.at(t) for t in times])
    rising, falling = times <= curve.apex, times >= curve.apex + curve.hold
    assert (np.diff(values[rising]) >= -1e-12).all()
    assert (np.diff(values[falling]) <= 1e-12).all()
    assert np.abs(np.diff(values)).max() < 0.08  # no jump
    assert curve.at(curve.apex) == pytest.approx(1)
    assert (values[(times < curve.onset) | (times > curve.offset)] == 0).all()


def test_a_curve_out_of_order_is_refused():
    with pytest.raises(ValueError, match="out of order"):
        Curve(1.0, 0.9, 1.2)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_the_amplitude_is_what_moves(seed):
    scenario = random_scenario(np.random.default_rng(seed), FIELDS, 6.0, events=3, amplitude=(0.8, 4.0))
    assert scenario.micros
    for movement in scenario.micros:
        assert 0.8 <= movement.amplitude <= 4.0
        assert displacement(FIELDS, movement.at(movement.curve.apex)) == pytest.approx(movement.amplitude)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_nobody_does_more_than_a_face_can(seed):
    """A lid does not move by a tenth of the eye distance, in a macro movement neither."""
    scenario = random_scenario(np.random.default_rng(seed), FIELDS, 8.0, events=3, confounds=["macro"])
    for movement in scenario.movements:
        reach = {name: 1.25 * FULL[split(name)[0]] for name in movement.peaks}
        assert movement.amplitude <= displacement(FIELDS, reach)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_movements_keep_apart(seed):
    scenario = random_scenario(np.random.default_rng(seed), FIELDS, 8.0, events=4)
    ends = [(m.curve.onset, m.curve.offset) for m in scenario.movements]
    ends += [(t.start, t.end) for t in scenario.talks]
    ends.sort()
    assert all(a[1] < b[0] for a, b in pairwise(ends))
    assert all(0 <= start < end <= 8.0 for start, end in ends)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_nothing_moves_outside_of_what_the_truth_names(seed):
    """Between the spans the face is at rest; so every movement of the skin is in the truth."""
    names = [name for name in CONFOUNDS if name != "sway"]
    scenario = random_scenario(np.random.default_rng(seed), FIELDS, 6.0, events=2, confounds=names)
    spans = [(a, b) for _, a, b in scenario.spans()]
    spans += [(m.curve.onset, m.curve.offset) for m in scenario.micros]
    for time in np.linspace(0, 6, 301):
        if not any(a <= time <= b for a, b in spans):
            state = scenario.state(float(time))
            assert max(map(abs, state.units.values()), default=0) < 1e-6
            assert state.closure == 0
            assert state.head == REST.head
            assert max(map(abs, state.gaze)) < 1e-6


def test_the_same_seed_gives_the_same_scenario():
    one, other = (random_scenario(np.random.default_rng(5), FIELDS, 5.0) for _ in range(2))
    assert one == other
    assert one != random_scenario(np.random.default_rng(6), FIELDS, 5.0)


def test_an_event_free_clip_has_no_event():
    for seed in range(20):
        assert not random_scenario(np.random.default_rng(seed), FIELDS, 5.0, events=0).micros


def test_sides_are_written_as_coders_do():
    curve = Curve(0.0, 0.1, 0.3)
    assert Movement(curve, {"12L": 2.0}).units == ("L12",)
    assert Movement(curve, {"2R": 1.0, "1L": 1.0, "1R": 1.0}).units == ("1", "R2")
    assert Movement(curve, {"17": 1.0, "4L": 1.0, "4R": 0.9}).units == ("4", "17")


def test_with_amplitude_keeps_the_proportions():
    movement = with_amplitude(FIELDS, Curve(0, 0.1, 0.3), {"1L": 1.0, "2L": 3.0}, 2.5)
    assert displacement(FIELDS, movement.peaks) == pytest.approx(2.5)
    assert movement.peaks["2L"] == pytest.approx(3 * movement.peaks["1L"])


def test_a_recorded_course_has_its_apex_where_it_is_largest():
    values = np.interp(np.linspace(0, 1, 101), [0, 0.3, 1], [0, 1, 0])[:, None] * [5.0, 1.0]
    curve = Curve(1.0, 1.1, 1.4)
    movement = from_course(FIELDS, curve, Course(("12L", "6L"), values), 3.0, "micro")
    assert movement.curve.apex - movement.curve.onset == pytest.approx(0.3 * 0.4, abs=0.005)
    assert displacement(FIELDS, movement.at(movement.curve.apex)) == pytest.approx(3.0, rel=0.02)
    assert movement.at(1.0) == {}
    assert movement.units == ("L6", "L12")
