"""What is changed in the interpreter for a live stream is undone after it."""

import contextlib
import gc
import sys

import pytest

from microau.stream.steady import SWITCH_S, steady


def test_old_objects_are_left_alone_inside_and_looked_at_again_after():
    before = sys.getswitchinterval(), gc.get_freeze_count()
    with contextlib.suppress(KeyError), steady():
        assert gc.get_freeze_count() > 10_000
        assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
        raise KeyError
    assert (sys.getswitchinterval(), gc.get_freeze_count()) == before
