"""What is changed in the interpreter for a live stream is undone after it."""

import contextlib
import gc
import sys

import pytest

from microau.stream.steady import SWITCH_S, steady


def test_old_objects_are_left_alone_inside_and_looked_at_again_after():
    before = sys.getswitchinterval()
    with contextlib.suppress(KeyError), steady():
        assert gc.get_freeze_count() > 10_000
        assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
        raise KeyError
    assert (sys.getswitchinterval(), gc.get_freeze_count()) == (before, 0)


def test_of_two_streams_the_last_one_undoes_it():
    before = sys.getswitchinterval()
    one, two = steady(), steady()
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
    assert gc.get_freeze_count() > 10_000
    two.__exit__(None, None, None)
    assert (sys.getswitchinterval(), gc.get_freeze_count()) == (before, 0)
