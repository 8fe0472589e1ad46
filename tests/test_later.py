"""Work done beside the stream gives what doing it in place gives, and holds nobody up."""

import contextlib
import os
import sys
import threading
import time

import pytest

from microau.stream import later as module
from microau.stream.later import Later


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("later")]


def test_results_come_in_the_order_of_the_items():
    def slower_first(n):
        time.sleep(0.01 if n % 7 == 0 else 0)
        return n * n

    taken = []
    with Later(slower_first) as later:
        for n in range(40):
            later.add([n])
            taken += later.ready()
        taken += later.rest()
    assert taken == [n * n for n in range(40)]


def test_nobody_waits_for_work_that_is_not_done():
    gate = threading.Event()
    with Later(lambda n: gate.wait(10) and n) as later:
        began = time.monotonic()
        later.add([1, 2])
        assert later.ready() == []
        assert time.monotonic() - began < 1
        gate.set()
        assert later.rest() == [1, 2]


def test_what_waits_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "WAITING", 3)
    with Later(lambda n: n) as later:
        later.add(range(10))
        assert len(later.ready()) >= 7


def test_what_the_work_raises_is_raised_where_results_are_taken():
    def fail(n):
        if n == 1:
            raise ZeroDivisionError
        return n

    with Later(fail) as later:
        later.add([0, 1])
        with pytest.raises(ZeroDivisionError):
            later.rest()


def test_leaving_early_leaves_no_thread():
    with contextlib.suppress(KeyError), Later(time.sleep) as later:
        later.add([0.05] * 50)
        assert threads()
        raise KeyError
    assert not threads()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads have no niceness of their own")
def test_a_modest_thread_yields_and_no_other_does():
    def niceness(_):
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    mine = niceness(None)
    with Later(niceness, modest=True) as later, Later(niceness) as eager:
        later.add([None])
        eager.add([None])
        assert (later.rest(), eager.rest()) == ([min(mine + 5, 19)], [mine])
    assert niceness(None) == mine
