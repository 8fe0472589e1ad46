"""Samples are measured by the runtime's own flow; another flow is a comparison that no runtime takes."""

import numpy as np
import pytest
from faces_to_move import astronaut

from microau.engine.errors import MicroauError
from microau.engine.facial_flow import facial_flow
from microau.engine.flow_image import percent_flow
from microau.engine.flow_spec import RUNTIME
from microau.training.generate.samples import pairs
from microau.training.make_samples import Making, measured


@pytest.fixture(scope="module")
def made():
    return list(pairs(np.random.default_rng(0), [astronaut()], 3))


def test_the_flow_of_a_sample_is_the_runtimes(made):
    samples = measured("photo/astronaut", made)
    for flow, pair in zip(samples.flow, made, strict=True):
        expected = percent_flow(facial_flow(pair.onset, pair.apex, pair.points), RUNTIME)
        np.testing.assert_array_equal(flow, expected.astype(np.float16))
    assert samples.spec == RUNTIME


def test_another_flow_is_kept_apart_and_taken_by_no_runtime(made):
    samples = measured("photo/astronaut", made, "dis-medium")
    own = measured("photo/astronaut", made)
    assert np.corrcoef(samples.flow.ravel(), own.flow.ravel())[0, 1] > 0.6
    assert not np.array_equal(samples.flow, own.flow)
    with pytest.raises(MicroauError, match="dis-medium"):
        samples.spec.require(RUNTIME, "bundle")
    assert Making(flow="dis-medium").key() == f"{Making().key()}-dis-medium"
