"""How late an event may come is said beforehand, by the rate of the frames."""

import pytest

from microau.stream.pipeline import Pipeline


@pytest.fixture(scope="module")
def pipeline():
    made = Pipeline()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("fps", "startup_ms"), [(None, 1400), (200, 1400), (60, 1733), (25, 2000), (15, 3067)]
)
def test_a_new_face_s_noise_needs_forty_samples(pipeline, fps, startup_ms):
    """At most one in 25 ms, and none between frames; measured with drawn motion in `test_spotting.py`."""
    assert pipeline.startup_ms(fps) == pytest.approx(startup_ms, abs=1)


def test_what_is_held_back_for_an_event_reaches_its_onset(pipeline):
    fast, slow = pipeline.reach_back_ms(200), pipeline.reach_back_ms(15)
    assert fast == pytest.approx(pipeline.startup_ms(200) - 300 + 500)
    assert fast >= pipeline.latency_ms + 500
    assert slow == pytest.approx(3067 - 300 + 500, abs=1)  # a face's first movement waits for its noise
